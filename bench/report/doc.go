// Package report makes figures and one HTML page of a comparison.
//
//	compare.Result --> figures --> plots/NAME.svg, plots/NAME-narrow.svg
//	                      |
//	                      +------> report.html (the SVGs within, nothing outside)
//
// A figure is drawn anew for each width, rather than made smaller, so that its type
// stays readable; it has a ground of its own, a dark one where dark is preferred.
//
// # Glossary
//
//   - figure: one drawing with a name, of one panel or several.
//   - panel: what is drawn at a width that it is told; its height follows.
//   - unit: a CSS pixel of a figure that is shown as large as it was drawn.
//   - tone: a colour by what it stands for, in a light and a dark form.
//   - look: how a peer is drawn everywhere: the hue tells the program, marker and
//     dashes the variant. Hues are those of Okabe and Ito (Color Universal Design,
//     2008), made darker or lighter for their ground; names or markers stand with
//     them, so no figure rests on hue alone.
//   - bars: one row for each peer; the bar ends at the median, the whisker spans
//     least to greatest, a dot is one round.
//   - curves: lines over a logarithmic y, named below.
//   - strip: a work's ratios of one metric, in the overview.
package report
