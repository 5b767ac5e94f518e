// Package report makes figures and one HTML page of a comparison.
//
//	compare.Result --> figures --> plots/NAME.svg, plots/NAME.png
//	                      |
//	                      +------> report.html (the SVGs within, nothing outside)
//
// # Glossary
//
//   - figure: one drawing with a name and a size; it draws on any canvas.
//   - look: how a peer is drawn everywhere: the hue tells the program, marker and
//     dashes the variant. Hues are those of Okabe and Ito (Color Universal Design,
//     2008); names stand beside bars and lines, so no figure rests on hue alone.
//   - bars: one row for each peer; the bar ends at the median, the whisker spans
//     least to greatest, a dot is one round.
//   - curves: lines over a logarithmic x, named at their right ends.
package report
