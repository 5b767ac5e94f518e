package document

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// walk calls visit for the node and all that are not hidden beneath it, with
// the path that leads there, empty for the application itself.
func walk(node *kong.Node, path []string, visit func(node *kong.Node, path []string)) {
	visit(node, path)
	for _, child := range commands(node) {
		walk(child, append(slices.Clone(path), child.Name), visit)
	}
}

// commands are the node's children that are not hidden.
func commands(node *kong.Node) []*kong.Node {
	var shown []*kong.Node
	for _, child := range node.Children {
		if child.Type == kong.CommandNode && !child.Hidden {
			shown = append(shown, child)
		}
	}
	return shown
}

// flags are those that hold at the node, of its own and from above.
func flags(node *kong.Node) []*kong.Flag {
	var all []*kong.Flag
	for _, group := range node.AllFlags(true) {
		all = append(all, group...)
	}
	return all
}

// spellings are what a flag may be written as: --relay, or --x and --no-x.
func spellings(flag *kong.Flag) []string {
	all := []string{"--" + flag.Name}
	if flag.Short != 0 {
		all = append(all, "-"+string(flag.Short))
	}
	if flag.Tag.Negatable != "" {
		all = append(all, "--no-"+flag.Name)
	}
	return all
}

// choices are the values that the enum names.
func choices(value *kong.Value) []string {
	if value.Enum == "" {
		return nil
	}
	return value.EnumSlice()
}

// isFile tells whether the value is the name of a file.
func isFile(value *kong.Value) bool {
	if value.Flag != nil {
		return value.Flag.PlaceHolder == "FILE"
	}
	return value.Name == "file"
}

// summary is the help's first sentence.
func summary(help string) string {
	if end := strings.IndexAny(help, ".;:("); end >= 0 {
		help = help[:end]
	}
	return strings.TrimSpace(help)
}
