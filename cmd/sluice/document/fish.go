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
	fmt.Fprintf(&b, fishStart, app.Name)
	walk(app.Node, nil, func(node *kong.Node, path []string) {
		line := fmt.Sprintf("complete -c %s -n %s", app.Name, fishQuote(fishCondition(node, path)))
		for _, child := range commands(node) {
			fmt.Fprintf(&b, "%s -a %s -d %s\n", line, child.Name, fishQuote(summary(child.Help)))
		}
		for _, value := range node.Positional {
			if offered := fishOffer(app, offerOf(value)); offered != "" {
				fmt.Fprintf(&b, "%s%s\n", line, offered)
			}
		}
		for _, flag := range flags(node) {
			if len(commands(node)) > 0 && node.Parent != nil {
				continue // offered at the commands beneath
			}
			value := fishValue(app, flag)
			if about := topics(node); flag.Name == "help" && about != nil {
				value = " -a " + fishQuote(strings.Join(about, " "))
			}
			fmt.Fprintf(&b, "%s%s -d %s%s\n", line, fishNames(flag), fishQuote(summary(flag.Help)), value)
		}
	})
	_, err := io.WriteString(w, b.String())
	return err
}

// fishStart has a function for what only the program knows, which is asked by the name
// that it is called by.
const fishStart = `# fish completion for %[1]s
function __%[1]s_asked
	set -l program (commandline -poc)[1]
	test -n "$program"; or set program %[1]s
	command $program complete $argv[1] 2>/dev/null
end
complete -c %[1]s -f
`

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

func fishValue(app *kong.Application, flag *kong.Flag) string {
	if flag.IsBool() {
		return ""
	}
	o := offerOf(flag.Value)
	if o.files {
		return " -r" + fishOffer(app, o)
	}
	return " -x" + fishOffer(app, o)
}

// fishOffer are the options of complete that offer what a value may be.
func fishOffer(app *kong.Application, o offer) (options string) {
	if o.files {
		options = " -F"
	}
	var print []string
	for _, w := range o.words {
		print = append(print, fishQuote(w.text), fishQuote(w.help))
	}
	switch {
	case print != nil:
		options += " -a " + fishQuote("(printf '%s\\t%s\\n' "+strings.Join(print, " ")+")")
	case o.users:
		options += " -a " + fishQuote("(__fish_complete_users)")
	case o.asked != "":
		options += " -a " + fishQuote("(__"+app.Name+"_asked "+o.asked+")")
	}
	return options
}

// fishQuote is the text in single quotes, where fish knows \\ and \'.
func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}
