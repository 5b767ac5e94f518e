package document

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// Zsh writes a completion for zsh's compsys, with a function for each node.
func Zsh(w io.Writer, app *kong.Application) error {
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %s\n", app.Name)
	walk(app.Node, nil, func(node *kong.Node, path []string) {
		function := zshFunction(app, path)
		fmt.Fprintf(&b, "\n%s() {\n", function)
		if len(commands(node)) == 0 {
			fmt.Fprintf(&b, "\t_arguments%s\n}\n", zshArguments(app, node))
			return
		}
		b.WriteString("\tlocal curcontext=$curcontext state line\n")
		if len(path) == 0 {
			fmt.Fprintf(&b, zshBefore, app.Name)
		}
		fmt.Fprintf(&b, "\t_arguments -C -A '-*'%s \\\n\t\t'1:command:->command' '*::argument:->argument'\n", zshArguments(app, node))
		b.WriteString("\tcase $state in\n\tcommand)\n\t\tlocal -a commands=(\n")
		for _, child := range commands(node) {
			fmt.Fprintf(&b, "\t\t\t%s\n", zshQuote(child.Name+":"+summary(child.Help)))
		}
		b.WriteString("\t\t)\n\t\t_describe command commands ;;\n\targument)\n\t\tcase $line[1] in\n")
		for _, child := range commands(node) {
			fmt.Fprintf(&b, "\t\t%s) %s_%s ;;\n", child.Name, function, child.Name)
		}
		b.WriteString("\t\tesac ;;\n\tesac\n}\n")
	})
	fmt.Fprintf(&b, zshAsked, app.Name)
	fmt.Fprintf(&b, "\nif [[ $funcstack[1] == _%[1]s ]]; then\n\t_%[1]s \"$@\"\nelse\n\tcompdef _%[1]s %[1]s\nfi\n", app.Name)
	_, err := io.WriteString(w, b.String())
	return err
}

func zshFunction(app *kong.Application, path []string) string {
	return "_" + strings.Join(append([]string{app.Name}, path...), "_")
}

// zshArguments are the specifications of flags and positionals for _arguments.
func zshArguments(app *kong.Application, node *kong.Node) string {
	var b strings.Builder
	for _, flag := range flags(node) {
		repeat := ""
		if flag.IsSlice() {
			repeat = "*"
		}
		for _, spelling := range spellings(flag) {
			spec := repeat + spelling
			if !flag.IsBool() && strings.HasPrefix(spelling, "--") {
				spec += "="
			}
			spec += "[" + strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`).Replace(summary(flag.Help)) + "]"
			if !flag.IsBool() {
				spec += ":" + strings.ToLower(flag.Name) + ":" + zshValue(app, offerOf(flag.Value), flag.IsSlice())
			} else if about := Topics(node); flag.Name == "help" && about != nil {
				spec += "::group:" + zshValue(app, offer{words: about}, false)
			}
			b.WriteString(" \\\n\t\t" + zshQuote(spec))
		}
	}
	for _, value := range node.Positional {
		b.WriteString(" \\\n\t\t" + zshQuote(zshRepeat(value)+":"+value.Name+":"+zshValue(app, offerOf(value), false)))
	}
	return b.String()
}

// zshRepeat begins the specification of positionals of which there may be several.
func zshRepeat(value *kong.Value) string {
	if value.IsCumulative() {
		return "*"
	}
	return ""
}

// zshValue is an action of _arguments that offers what a value, or each of a list of
// them, may be.
func zshValue(app *kong.Application, o offer, list bool) string {
	switch {
	case o.files && o.words == nil:
		return "_files"
	case o.users:
		return "_users"
	case o.asked != "":
		return fmt.Sprintf("{_%s_asked %s}", app.Name, o.asked)
	case o.words == nil:
		return ""
	}
	described := false
	var all []string
	for _, w := range o.words {
		described = described || w.Help != ""
		all = append(all, w.Text+`\:"`+strings.NewReplacer(`"`, "", ":", `\:`, "'", "").Replace(w.Help)+`"`)
	}
	switch {
	case list:
		return fmt.Sprintf("{_%s_list %s}", app.Name, strings.Join(all, " "))
	case described:
		return "((" + strings.Join(all, " ") + "))"
	}
	return "(" + strings.Join(o.texts(), " ") + ")"
}

// zshBefore keeps what each function beneath sees the end of only: how the program is
// called, and the words before the cursor.
const zshBefore = "\tlocal _%[1]s_program=$words[1]\n\tlocal -a _%[1]s_before=(\"${(@Q)words[2,CURRENT-1]}\")\n"

// zshAsked offers what the program prints, a value, a tab and what it means a line, or
// the values that it is called with; both behind a comma too.
const zshAsked = `
_%[1]s_asked() {
	local -a offered=(${(f)"$($_%[1]s_program complete $1 -- "${_%[1]s_before[@]}" 2>/dev/null)"})
	compset -P '*,'
	offered=(${${offered//:/\\:}/$'\t'/:})
	_describe $1 offered
}

_%[1]s_list() {
	local -a offered=("${@%%:}")
	compset -P '*,'
	_describe value offered
}
`

// zshQuote is the text in single quotes.
func zshQuote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
