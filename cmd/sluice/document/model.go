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

// offer is what a value may be. The zero value is anything.
type offer struct {
	files, users bool
	asked        string // what only the program knows: it prints them for `complete ASKED`
	words        []Word
}

// Word is a value, and what it means.
type Word struct{ Text, Help string }

// offerOf is what a value may be: by its tags (complete:"files", "users", or what the
// program is asked for; each:"auto: what it means; off: ..."), its enum, and its placeholder.
func offerOf(value *kong.Value) (o offer) {
	for _, each := range strings.Split(value.Tag.Get("each"), ";") {
		if text, help, ok := strings.Cut(each, ":"); ok {
			o.words = append(o.words, Word{strings.TrimSpace(text), strings.TrimSpace(help)})
		}
	}
	if o.words == nil {
		for _, text := range choices(value) {
			o.words = append(o.words, Word{Text: text})
		}
	}
	placeholder := value.Name
	if value.Flag != nil {
		placeholder = value.Flag.PlaceHolder
	}
	switch kind := value.Tag.Get("complete"); {
	case kind == "files" || kind == "" && slices.Contains([]string{"FILE", "PATH", "file", "path"}, placeholder):
		o.files = true
	case kind == "users":
		o.users = true
	default:
		o.asked = kind
	}
	return o
}

// texts are the words alone.
func (o offer) texts() (all []string) {
	for _, w := range o.words {
		all = append(all, w.Text)
	}
	return all
}

// All is the topic of help that is every flag.
const All = "all"

// Topics are what --help may be asked for about a command that has a first page of its
// own, a flag of which is brief: the groups of its flags, in their order, and All. Others
// have none: their help is All anyway.
func Topics(node *kong.Node) (groups []Word) {
	long := false
	for _, f := range node.Flags {
		long = long || f.Tag.Get("brief") != ""
		if f.Group != nil && !slices.ContainsFunc(groups, func(w Word) bool { return w.Text == f.Group.Key }) {
			groups = append(groups, Word{f.Group.Key, f.Group.Title})
		}
	}
	if !long {
		return nil
	}
	return append(groups, Word{All, "Every flag"})
}

// isSwitch tells whether a flag may be written as --flag=off; help and version may not.
func isSwitch(flag *kong.Flag) bool {
	return flag.IsBool() && flag.Name != "help" && flag.Name != "version"
}

// summary is the help's first sentence, without what it explains.
func summary(help string) string {
	for i, r := range help {
		rest := help[i:]
		if strings.ContainsRune(".;:", r) && (len(rest) == 1 || rest[1] == ' ') || strings.HasPrefix(rest, " (") {
			return strings.TrimSpace(help[:i])
		}
	}
	return strings.TrimSpace(help)
}
