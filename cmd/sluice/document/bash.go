package document

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// Bash writes a completion for bash 4 and later. It needs nothing of the
// bash-completion package.
func Bash(w io.Writer, app *kong.Application) error {
	var paths, values, words strings.Builder
	walk(app.Node, nil, func(node *kong.Node, path []string) {
		at := strings.Join(path, " ")
		if at != "" {
			fmt.Fprintf(&paths, "\t\t%q) path=%q ;;\n", at, at)
		}
		offer := []string{}
		for _, child := range commands(node) {
			offer = append(offer, child.Name)
		}
		for _, flag := range flags(node) {
			offer = append(offer, spellings(flag)...)
			if !flag.IsBool() {
				fmt.Fprintf(&values, "\t%q) %s ;;\n", strings.TrimSpace(at+" --"+flag.Name), bashValue(app, offerOf(flag.Value)))
			}
		}
		if about := topics(node); about != nil {
			fmt.Fprintf(&values, "\t%q) __%s_words %q ;;\n", at+" --help", app.Name, strings.Join(about, " "))
		}
		positional := ""
		for _, value := range node.Positional {
			if positional = "; " + bashValue(app, offerOf(value)); positional == "; :" {
				positional = ""
			}
		}
		fmt.Fprintf(&words, "\t%q) __%s_words %q%s ;;\n", at, app.Name, strings.Join(offer, " "), positional)
	})
	_, err := fmt.Fprintf(w, bashScript, app.Name, paths.String(), values.String(), words.String())
	return err
}

// bashValue is the command that offers what a value may be.
func bashValue(app *kong.Application, o offer) string {
	var all []string
	if o.words != nil {
		all = append(all, fmt.Sprintf("__%s_words %q", app.Name, strings.Join(o.texts(), " ")))
	}
	switch {
	case o.files:
		all = append(all, "__"+app.Name+"_files")
	case o.users:
		all = append(all, fmt.Sprintf("__%s_words \"$(compgen -u)\"", app.Name))
	case o.asked != "":
		all = append(all, fmt.Sprintf("__%s_words \"$(__%[1]s_asked %s)\"", app.Name, o.asked))
	}
	if all == nil {
		return ":"
	}
	return strings.Join(all, "; ")
}

// bashScript takes the name, the known paths, the values of flags and the words
// of each path. bash splits --flag=value at the = (COMP_WORDBREAKS).
const bashScript = `# bash completion for %[1]s
__%[1]s_words() { # behind a comma too
	local before=
	[[ $current == *,* ]] && before=${current%%,*},
	COMPREPLY+=($(compgen -P "$before" -W "$1" -- "${current##*,}"))
}
__%[1]s_asked() { "${COMP_WORDS[0]}" complete "$1" 2>/dev/null | cut -f1; }
__%[1]s_files() { compopt -o filenames 2>/dev/null; local IFS=$'\n'; COMPREPLY+=($(compgen -f -- "$current")); }
_%[1]s() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} path= i
	[[ $current == = ]] && current=
	[[ $previous == = ]] && previous=${COMP_WORDS[COMP_CWORD-2]}
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case "${path:+$path }${COMP_WORDS[i]}" in
%[2]s		esac
	done
	case "${path:+$path }$previous" in
%[3]s	*)
	case "$path" in
%[4]s	esac ;;
	esac
}
complete -F _%[1]s %[1]s
`
