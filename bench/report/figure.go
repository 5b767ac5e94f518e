package report

import (
	"fmt"
	"html"
	"html/template"
	"os"
	"path/filepath"
	"strings"
)

// Widths that figures are drawn for, in units.
const (
	pageWidth   = 280 // a panel of the page, four of them beside each other or one on a phone
	phoneWidth  = 320 // a file for phones
	screenWidth = 760 // a file for screens
	panelGap    = 24
	margin      = 8 // within a file's ground
)

// panel draws itself that wide, and as high as it must be.
type panel func(width float64) *canvas

// figure is one drawing, of one panel or several.
type figure struct {
	name   string // of its files
	title  string // what it shows, for those who cannot see it
	panels []panel
}

// save writes NAME.svg for screens and NAME-narrow.svg for phones.
func (f figure) save(dir string) error {
	columns := 1
	if len(f.panels) > 1 {
		columns = 2
	}
	for name, c := range map[string]*canvas{f.name: f.compose(screenWidth, columns), f.name + "-narrow": f.compose(phoneWidth, 1)} {
		text := `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + c.svg(f.title, darkStyle())
		if err := os.WriteFile(filepath.Join(dir, name+".svg"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compose lays the panels out in columns on a ground of that width.
func (f figure) compose(width float64, columns int) *canvas {
	whole := &canvas{w: width}
	each := (width - 2*margin - panelGap*float64(columns-1)) / float64(columns)
	top, bottom := float64(margin), float64(margin) // of the row
	for i, draw := range f.panels {
		column := i % columns
		if column == 0 && i > 0 {
			top = bottom + panelGap
		}
		c := draw(each)
		fmt.Fprintf(&whole.b, "<g transform=\"translate(%s %s)\">\n%s</g>\n", num(margin+float64(column)*(each+panelGap)), num(top), &c.b)
		bottom = max(bottom, top+c.h)
	}
	whole.h = bottom + margin
	return whole
}

// inline are the panels for a page, whose style sheet has darkStyle.
func (f figure) inline(width float64) []template.HTML {
	var all []template.HTML
	for _, draw := range f.panels {
		all = append(all, template.HTML(draw(width).svg(f.title, "")))
	}
	return all
}

// svg is the whole drawing on its own ground.
func (c *canvas) svg(title, style string) string {
	if style != "" {
		style = "<style>" + style + "</style>\n"
	}
	ground := &canvas{}
	ground.rect(0, 0, c.w, c.h, "paper")
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %[1]s %[2]s" role="img" aria-label="%s" font-family="Liberation Sans,Arial,Helvetica,sans-serif">
%s%s
%s</svg>
`, num(c.w), num(c.h), html.EscapeString(title), style, &ground.b, strings.TrimPrefix(c.b.String(), "\n"))
}
