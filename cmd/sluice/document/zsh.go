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
			fmt.Fprintf(&b, "\t_arguments%s\n}\n", zshArguments(node))
			return
		}
		b.WriteString("\tlocal curcontext=$curcontext state line\n")
		fmt.Fprintf(&b, "\t_arguments -C%s \\\n\t\t'1:command:->command' '*::argument:->argument'\n", zshArguments(node))
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
	fmt.Fprintf(&b, "\nif [[ $funcstack[1] == _%[1]s ]]; then\n\t_%[1]s \"$@\"\nelse\n\tcompdef _%[1]s %[1]s\nfi\n", app.Name)
	_, err := io.WriteString(w, b.String())
	return err
}

func zshFunction(app *kong.Application, path []string) string {
	return "_" + strings.Join(append([]string{app.Name}, path...), "_")
}

// zshArguments are the specifications of flags and positionals for _arguments.
func zshArguments(node *kong.Node) string {
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
				spec += ":" + strings.ToLower(flag.Name) + ":" + zshValue(flag.Value)
			}
			b.WriteString(" \\\n\t\t" + zshQuote(spec))
		}
	}
	for _, value := range node.Positional {
		b.WriteString(" \\\n\t\t" + zshQuote(":"+value.Name+":"+zshValue(value)))
	}
	return b.String()
}

func zshValue(value *kong.Value) string {
	switch {
	case isFile(value):
		return "_files"
	case value.Enum != "":
		return "(" + strings.Join(choices(value), " ") + ")"
	}
	return ""
}

// zshQuote is the text in single quotes.
func zshQuote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
