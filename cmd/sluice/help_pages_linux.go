package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"sluice/cmd/sluice/document"
)

// show is kong's HelpPrinter.
func (h *help) show(options kong.HelpOptions, ctx *kong.Context) error {
	if err := h.write(options, ctx); err != nil {
		return outputError{err}
	}
	return nil
}

func (h *help) write(options kong.HelpOptions, ctx *kong.Context) error {
	node := ctx.Selected()
	if node == nil && h.topic == "" {
		return frontPage(ctx.Stdout, ctx.Model)
	}
	if node == nil || h.topic == document.All || h.topic == "" && document.Topics(node) == nil {
		return kong.DefaultHelpPrinter(options, ctx)
	}
	if h.topic == "" {
		return firstPage(ctx.Stdout, node)
	}
	for _, flag := range node.Flags {
		flag.Hidden = flag.Hidden || flag.Group == nil || flag.Group.Key != h.topic
	}
	return kong.DefaultHelpPrinter(options, ctx)
}

// frontPage is what a newcomer sees.
func frontPage(w io.Writer, app *kong.Application) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s COMMAND [flags]\n\n%s\n\n", app.Name, app.Help)
	for _, child := range app.Children {
		if !child.Hidden {
			fmt.Fprintf(&b, "  %-11s %s\n", child.Name, cmp.Or(child.Tag.Get("brief"), child.Help))
		}
	}
	fmt.Fprintf(&b, "\nOn a gateway whose LAN is at lan0:\n\n  %s run --tproxy :12345 --install-rules --iface lan0\n\n", app.Name)
	fmt.Fprintf(&b, "%s COMMAND --help tells more, and so does man %s.\n", app.Name, app.Name)
	_, err := io.WriteString(w, wrap(b.String(), columns(w)))
	return err
}

func isBrief(f *kong.Flag) bool { return f.Tag.Get("brief") != "" }

// firstPage fits a terminal of 80 columns and 24 lines.
func firstPage(w io.Writer, node *kong.Node) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s [flags]\n\n%s\n\n", node.FullPath(), node.Help)
	widest := 0
	for _, f := range node.Flags {
		if isBrief(f) {
			widest = max(widest, len(briefName(f)))
		}
	}
	for _, f := range node.Flags {
		if isBrief(f) {
			fmt.Fprintf(&b, "  %-*s  %s\n", widest, briefName(f), f.Tag.Get("brief"))
		}
	}
	fmt.Fprintf(&b, "\nMore flags, by group: %s --help GROUP, or all.\n", node.FullPath())
	var entries []string
	for _, topic := range document.Topics(node) {
		if topic.Text != document.All {
			entries = append(entries, fmt.Sprintf("%-10s %s", topic.Text, topic.Help))
		}
	}
	width := columns(w)
	rows := len(entries)
	if width >= 76 {
		rows = (rows + 1) / 2
	}
	for i, left := range entries[:rows] {
		right := ""
		if rows+i < len(entries) {
			right = entries[rows+i]
		}
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("  %-36s %s", left, right), " "))
	}
	_, err := io.WriteString(w, wrap(b.String(), width))
	return err
}

// columns is how wide what is shown may be: COLUMNS, as kong has it, else the terminal.
func columns(w io.Writer) int {
	width, err := strconv.Atoi(os.Getenv("COLUMNS"))
	if file, ok := w.(*os.File); err != nil && ok {
		width, _, _ = term.GetSize(int(file.Fd()))
	}
	if width <= 0 {
		return 80
	}
	return width
}

// wrap breaks lines at blanks where they would be wider; what was indented is so again.
func wrap(text string, width int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		indent := ""
		if line[0] == ' ' {
			indent = "      "
		}
		for start := 0; len(strings.TrimRight(line, "\n")) > width; start = len(indent) {
			cut := strings.LastIndexByte(line[:width+1], ' ')
			if cut <= start || strings.TrimSpace(line[:cut]) == "" {
				break // a word that has no room
			}
			b.WriteString(strings.TrimRight(line[:cut], " ") + "\n")
			line = indent + strings.TrimLeft(line[cut:], " ")
		}
		b.WriteString(line)
	}
	return b.String()
}

// briefName is a flag as the first page has it.
func briefName(f *kong.Flag) string {
	if f.IsBool() {
		return "--" + f.Name
	}
	placeholder, _, _ := strings.Cut(f.FormatPlaceHolder(), "[")
	return "--" + f.Name + "=" + placeholder
}
