package document

import (
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// Section is a part of the manual page that the model does not know. Lines
// that begin with a space are shown as they are; empty lines part paragraphs.
type Section struct{ Title, Text string }

// Page is what stands at the edges of a manual page.
type Page struct {
	Date    string // 2026-11-27; empty: not known
	Source  string // the program and its version
	Tagline string // what the program is
}

// Man writes the manual page, section 8, in roff with the man macros
// (groff_man(7)): name, commands with their flags by subject, then sections.
func Man(w io.Writer, app *kong.Application, page Page, sections []Section) error {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 8 \"%s\" \"%s\" \"System administration\"\n", strings.ToUpper(app.Name), roff(page.Date), roff(page.Source))
	b.WriteString(".nh\n.ad l\n") // no hyphens in flags, no stretched lines
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n", app.Name, roff(page.Tagline))
	walk(app.Node, nil, func(node *kong.Node, path []string) {
		if len(path) > 0 && len(commands(node)) == 0 {
			fmt.Fprintf(&b, ".B %s\\fR %s\n.br\n", roff(app.Name+" "+strings.Join(path, " ")), roff(arguments(node)))
		}
	})
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n.SH COMMANDS\n", roff(app.Help))
	walk(app.Node, nil, func(node *kong.Node, path []string) {
		if len(path) == 0 || len(commands(node)) > 0 {
			return
		}
		fmt.Fprintf(&b, ".SS %s %s\n%s\n", roff(app.Name), roff(strings.Join(path, " ")), roff(node.Help))
		manFlags(&b, node)
	})
	for _, s := range sections {
		fmt.Fprintf(&b, ".SH %s\n", strings.ToUpper(s.Title))
		manText(&b, s.Text)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// arguments is the command's line without its name.
func arguments(node *kong.Node) string {
	words := []string{}
	if len(node.Flags) > 0 {
		words = append(words, "[flags]")
	}
	for _, value := range node.Positional {
		words = append(words, value.Summary())
	}
	return strings.Join(words, " ")
}

// manFlags lists the node's own flags under the titles of their groups.
func manFlags(b *strings.Builder, node *kong.Node) {
	var titles []string
	byTitle := map[string][]*kong.Flag{}
	for _, flag := range node.Flags {
		if flag.Hidden {
			continue
		}
		title := ""
		if flag.Group != nil {
			title = flag.Group.Title
		}
		if byTitle[title] == nil {
			titles = append(titles, title)
		}
		byTitle[title] = append(byTitle[title], flag)
	}
	for _, title := range titles {
		if title != "" {
			fmt.Fprintf(b, ".PP\n.I %s\n", roff(title))
		}
		for _, flag := range byTitle[title] {
			fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(strings.Join(spellings(flag), ", "))+manValue(flag), roff(manHelp(flag)))
		}
	}
}

func manValue(flag *kong.Flag) string {
	if flag.IsBool() {
		return ""
	}
	name := flag.PlaceHolder
	if name == "" {
		name = kindName(flag.Target.Type())
	}
	if flag.Enum != "" && !flag.IsSlice() {
		name = strings.Join(choices(flag.Value), "|")
	}
	return ` \fR` + roff(name)
}

// kindName says what a flag without a placeholder takes.
func kindName(kind reflect.Type) string {
	switch {
	case kind.Name() == "" && kind.Kind() != reflect.String: // a list, or a pointer
		return kindName(kind.Elem())
	case kind.PkgPath() != "":
		return strings.ToUpper(kind.Name()) // DURATION, SIZE
	case kind.Kind() == reflect.String:
		return "TEXT"
	}
	return "N"
}

func manHelp(flag *kong.Flag) string {
	help := flag.Help
	if flag.Default != "" && flag.Default != "0" {
		help = strings.TrimSpace(help + " Default: " + flag.Default + ".")
	}
	return help
}

// manText writes paragraphs and examples.
func manText(b *strings.Builder, text string) {
	example, empty := false, 0
	for line := range strings.Lines(strings.TrimSpace(text)) {
		line = strings.TrimRight(line, "\n")
		if line == "" {
			empty++
			continue
		}
		if indented := strings.HasPrefix(line, " "); indented != example {
			b.WriteString(map[bool]string{true: ".PP\n.EX\n", false: ".EE\n.PP\n"}[indented])
			example, empty = indented, 0
		}
		if empty > 0 && example {
			b.WriteString("\n")
		} else if empty > 0 {
			b.WriteString(".PP\n")
		}
		empty = 0
		b.WriteString(roff(line) + "\n")
	}
	if example {
		b.WriteString(".EE\n")
	}
}

// roff is the text as roff prints it literally: no escapes, no requests at the
// start of a line, hyphens that can be copied as minus signs.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n.", "\n\\&.", "\n'", "\n\\&'").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
