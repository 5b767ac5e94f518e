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
	var paths, b strings.Builder
	walk(app.Node, nil, func(node *kong.Node, path []string) {
		at := strings.Join(path, " ")
		if at != "" {
			at = " " + at
			fmt.Fprintf(&paths, " %s", fishQuote(at))
		}
		here := "__" + app.Name + "_at " + fishQuote(at)
		line := fmt.Sprintf("complete -c %s -n %s", app.Name, fishQuote(here))
		for _, child := range commands(node) {
			fmt.Fprintf(&b, "%s -a %s -d %s\n", line, child.Name, fishQuote(summary(child.Help)))
		}
		for _, value := range node.Positional {
			if offered := fishOffer(app, offerOf(value), false); offered != "" {
				fmt.Fprintf(&b, "%s%s\n", line, offered)
			}
		}
		about := Topics(node)
		if about != nil {
			asked := fishQuote(here + "; and __" + app.Name + "_asked_help")
			fmt.Fprintf(&b, "complete -c %s -n %s%s\n", app.Name, asked, fishOffer(app, offer{words: about}, false))
		}
		for _, flag := range flags(node) {
			value := fishValue(app, flag)
			if flag.Name == "help" {
				value = fishOffer(app, offer{words: about}, false)
			}
			fmt.Fprintf(&b, "%s%s -d %s%s\n", line, fishNames(flag), fishQuote(summary(flag.Help)), value)
		}
	})
	_, err := fmt.Fprintf(w, fishStart+"%[3]s", app.Name, paths.String(), b.String())
	return err
}

// fishStart takes the name and the known paths. What only the program knows it is asked
// by the name that it is called by, and told the words before the cursor.
const fishStart = `# fish completion for %[1]s
function __%[1]s_at # whether the commands before the cursor are these
	set -l at
	for word in (commandline -poc)[2..-1]
		contains -- "$at $word"%[2]s; and set at "$at $word"
	end
	test "$at" = "$argv"
end
function __%[1]s_asked_help
	contains -- (commandline -poc)[-1] --help -h
end
function __%[1]s_asked
	set -l words (commandline -poc)
	test -n "$words[1]"; or set words %[1]s
	command $words[1] complete $argv[1] -- $words[2..-1] 2>/dev/null
end
function __%[1]s_list # one of the lines read, behind those that are there already
	set -l before (string match -r -- '^(?:-.*?=)?(.*,)' (commandline -ct))[2]
	while read -l line
		printf '%%s\n' "$before$line"
	end
end
complete -c %[1]s -f
`

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
		return " -r" + fishOffer(app, o, flag.IsSlice())
	}
	return " -x" + fishOffer(app, o, flag.IsSlice())
}

// fishOffer are the options of complete that offer what a value, or each of a list of
// them, may be.
func fishOffer(app *kong.Application, o offer, list bool) (options string) {
	if o.files {
		options = " -F"
	}
	var print []string
	for _, w := range o.words {
		print = append(print, fishQuote(w.Text), fishQuote(w.Help))
	}
	var from string
	switch {
	case print != nil:
		from = "printf '%s\\t%s\\n' " + strings.Join(print, " ")
	case o.users:
		from = "__fish_complete_users"
	case o.asked != "":
		from = "__" + app.Name + "_asked " + o.asked
	default:
		return options
	}
	if list {
		from += " | __" + app.Name + "_list"
	}
	return options + " -a " + fishQuote("("+from+")")
}

// fishQuote is the text in single quotes, where fish knows \\ and \'.
func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}
