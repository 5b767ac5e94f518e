package document

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// Fish writes a completion for fish 3 and later: one line for each command
// and flag.
func Fish(w io.Writer, app *kong.Application) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# fish completion for %[1]s\ncomplete -c %[1]s -f\n", app.Name)
	walk(app.Node, nil, func(node *kong.Node, path []string) {
		line := fmt.Sprintf("complete -c %s -n %s", app.Name, fishQuote(fishCondition(node, path)))
		for _, child := range commands(node) {
			fmt.Fprintf(&b, "%s -a %s -d %s\n", line, child.Name, fishQuote(summary(child.Help)))
		}
		for _, value := range node.Positional {
			if isFile(value) {
				fmt.Fprintf(&b, "%s -F\n", line)
			} else if value.Enum != "" {
				fmt.Fprintf(&b, "%s -a %s\n", line, fishQuote(strings.Join(choices(value), " ")))
			}
		}
		for _, flag := range flags(node) {
			if len(commands(node)) > 0 && node.Parent != nil {
				continue // offered at the commands beneath
			}
			fmt.Fprintf(&b, "%s%s -d %s%s\n", line, fishNames(flag), fishQuote(summary(flag.Help)), fishValue(flag))
		}
	})
	_, err := io.WriteString(w, b.String())
	return err
}

// fishCondition holds while the command line stands at the node.
func fishCondition(node *kong.Node, path []string) string {
	if len(path) == 0 {
		return "__fish_use_subcommand"
	}
	var seen []string
	for _, word := range path {
		seen = append(seen, "__fish_seen_subcommand_from "+word)
	}
	if below := commands(node); len(below) > 0 {
		var names []string
		for _, child := range below {
			names = append(names, child.Name)
		}
		seen = append(seen, "not __fish_seen_subcommand_from "+strings.Join(names, " "))
	}
	return strings.Join(seen, "; and ")
}

func fishNames(flag *kong.Flag) string {
	var b strings.Builder
	for _, spelling := range spellings(flag) {
		if long, ok := strings.CutPrefix(spelling, "--"); ok {
			b.WriteString(" -l " + long)
		} else {
			b.WriteString(" -s " + strings.TrimPrefix(spelling, "-"))
		}
	}
	return b.String()
}

func fishValue(flag *kong.Flag) string {
	switch {
	case flag.IsBool():
		return ""
	case isFile(flag.Value):
		return " -r -F"
	case flag.Enum != "":
		return " -x -a " + fishQuote(strings.Join(choices(flag.Value), " "))
	}
	return " -x"
}

// fishQuote is the text in single quotes, where fish knows \\ and \'.
func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}
