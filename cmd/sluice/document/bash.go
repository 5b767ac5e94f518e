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
		var below, dashed []string
		for _, child := range commands(node) {
			below = append(below, child.Name)
		}
		for _, flag := range flags(node) {
			dashed = append(dashed, spellings(flag)...)
			name := strings.TrimSpace(at + " --" + flag.Name)
			switch about := Topics(node); {
			case !flag.IsBool():
				fmt.Fprintf(&values, "\t%q | %q) %s ;;\n", name, name+"=", bashValue(app, offerOf(flag.Value)))
			case flag.Name == "help" && about != nil:
				fmt.Fprintf(&values, "\t%q | %q | %q) %s ;;\n", name, name+"=", strings.TrimSpace(at+" -h"), bashValue(app, offer{words: about}))
			case isSwitch(flag):
				fmt.Fprintf(&values, "\t%q) %s ;;\n", name+"=", bashValue(app, offer{words: []Word{{Text: "on"}, {Text: "off"}}}))
			}
		}
		offered := []string{}
		if below != nil {
			offered = append(offered, bashWords(app, below))
		}
		for _, value := range node.Positional {
			if text := bashValue(app, offerOf(value)); text != ":" {
				offered = append(offered, text)
			}
		}
		offered = append(offered, fmt.Sprintf("__%s_flags %s", app.Name, strings.Join(dashed, " ")))
		fmt.Fprintf(&words, "\t%q) %s ;;\n", at, strings.Join(offered, "; "))
	})
	_, err := fmt.Fprintf(w, bashScript, app.Name, paths.String(), values.String(), words.String())
	return err
}

// bashWords is the command that offers these.
func bashWords(app *kong.Application, words []string) string {
	return fmt.Sprintf("__%s_words %s", app.Name, strings.Join(words, " "))
}

// bashValue is the command that offers what a value may be.
func bashValue(app *kong.Application, o offer) string {
	var all []string
	if o.words != nil {
		all = append(all, bashWords(app, o.texts()))
	}
	switch {
	case o.files:
		all = append(all, "__"+app.Name+"_files")
	case o.users:
		all = append(all, bashWords(app, []string{"$(compgen -u)"}))
	case o.asked != "":
		all = append(all, fmt.Sprintf("__%s_asked %s", app.Name, o.asked))
	}
	if all == nil {
		return ":"
	}
	return strings.Join(all, "; ")
}

// bashScript takes the name, the known paths, the values of flags and the words
// of each path. bash splits --flag=value at the = (COMP_WORDBREAKS). What the program
// prints is data: compgen -W would expand it.
const bashScript = `# bash completion for %[1]s
__%[1]s_words() { # behind a comma too
	local before= word
	if [[ $current == *,* ]]; then before=${current%%,*},; fi
	for word; do
		if [[ $word == "${current##*,}"* ]]; then
			printf -v word %%q "$word"
			COMPREPLY+=("$before$word")
		fi
	done
}
__%[1]s_flags() { # where nothing else is offered, or a - asks for them
	if [[ $current == -* || -z $current && ${#COMPREPLY[@]} == 0 ]]; then __%[1]s_words "$@"; fi
}
__%[1]s_asked() {
	local -a asked
	mapfile -t asked < <("${COMP_WORDS[0]}" complete "$1" -- "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null | cut -f1)
	__%[1]s_words "${asked[@]}"
}
__%[1]s_files() {
	compopt -o filenames 2>/dev/null
	local -a found
	mapfile -t found < <(compgen -f -- "$current")
	COMPREPLY+=("${found[@]}")
}
_%[1]s() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} path= i
	[[ $previous == = ]] && previous=${COMP_WORDS[COMP_CWORD-2]}=
	[[ $current == = ]] && current= previous+==
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case "${path:+$path }${COMP_WORDS[i]}" in
%[2]s		esac
	done
	case "${path:+$path }$previous" in
%[3]s	*=) ;;
	*)
	case "$path" in
%[4]s	esac ;;
	esac
}
complete -F _%[1]s %[1]s
`
