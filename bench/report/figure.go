package report

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Widths of figures: alone, and two beside each other.
const (
	fullWidth = 720 * vg.Inch / 72
	halfWidth = 400 * vg.Inch / 72
)

// pngDPI makes a full-width figure 1,500 pixels wide.
const pngDPI = 150

// figure is one drawing.
type figure struct {
	name  string // of its files
	title string // what it shows, for those who cannot see it
	w, h  vg.Length
	draw  func(draw.Canvas)
}

// svg writes the figure for a page: text stays text, in the nearest sans serif.
func (f figure) svg() ([]byte, error) {
	c := vgsvg.New(f.w, f.h)
	f.draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("figure %s: %w", f.name, err)
	}
	// Arial and Helvetica have the metrics of Liberation Sans.
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), nil
}

func (f figure) png(w io.Writer) error {
	c := vgimg.NewWith(vgimg.UseWH(f.w, f.h), vgimg.UseDPI(pngDPI), vgimg.UseBackgroundColor(paper()))
	f.draw(draw.New(c))
	_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(w)
	return err
}

// save writes NAME.svg and NAME.png into dir and returns the SVG for a page,
// without its prologue and with the figure's title.
func (f figure) save(dir string) (inline string, err error) {
	svg, err := f.svg()
	if err != nil {
		return "", err
	}
	var png bytes.Buffer
	if err := f.png(&png); err != nil {
		return "", fmt.Errorf("figure %s: %w", f.name, err)
	}
	for ext, b := range map[string][]byte{".svg": svg, ".png": png.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, f.name+ext), b, 0o644); err != nil {
			return "", err
		}
	}
	text := string(svg)
	text = text[strings.Index(text, "<svg"):]
	return strings.Replace(text, "<svg", fmt.Sprintf("<svg role=\"img\" aria-label=%q", f.title), 1), nil
}
