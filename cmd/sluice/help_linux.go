package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"sluice/redir/nearest"
)

// Help has two storeys: a command with many flags shows those that most need (the tag
// brief has their text) and the names of the groups that the others stand in; --help
// GROUP shows a group, --help all everything. `sluice help run udp` is the same as
// `sluice run --help udp`.

// helpCmd is `sluice help`; whatever is asked for has been shown before it would run.
type helpCmd struct {
	Command []string `complete:"commands" arg:"" optional:"" placeholder:"COMMAND" help:"A command, and a group of its flags, or all."`
}

// Run does nothing.
func (helpCmd) Run() error { return nil }

// allTopics shows every flag.
const allTopics = "all"

// help is what is asked for about a command: all of its flags, those of a group, or,
// without a topic, the first page.
type help struct{ topic string }

// usageError is a command line that cannot be.
type usageError struct {
	error
	command string // whose help tells more
}

// find looks for a question for help in a command line. What it returns in its place
// is one that kong answers, by show.
func (h *help) find(app *kong.Application, args []string) ([]string, error) {
	if len(args) == 0 {
		return []string{"--help"}, nil
	}
	words, asked := args[1:], args[0] == "help"
	if !asked {
		i := slices.IndexFunc(args, func(a string) bool {
			return a == "-h" || a == "--" || a == "--help" || strings.HasPrefix(a, "--help=")
		})
		if i < 0 || args[i] == "--" {
			return args, nil
		}
		words = slices.DeleteFunc(slices.Clone(args[:i]), func(a string) bool { return findChild(app.Node, args[:i], a) == nil })
		if _, topic, ok := strings.Cut(args[i], "="); ok {
			words = append(words, topic)
		} else if i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			words = append(words, args[i+1])
		}
	}
	node, path := app.Node, []string{}
	for len(words) > 0 {
		child := childOf(node, words[0])
		if child == nil {
			break
		}
		node, path, words = child, append(path, words[0]), words[1:]
	}
	if len(words) > 0 {
		known := topics(node)
		if len(words) > 1 || !slices.Contains(known, words[0]) {
			return nil, usageError{unknownTopic(node, words[len(words)-1], known), node.FullPath()}
		}
		h.topic = words[0]
	}
	return append(path, "--help"), nil
}

// findChild is the command that word names behind those before it; nil if none.
func findChild(node *kong.Node, before []string, word string) *kong.Node {
	for _, w := range before {
		child := childOf(node, w)
		if child == nil {
			continue
		}
		if w == word {
			return child
		}
		node = child
	}
	return nil
}

func childOf(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Name == name {
			return child
		}
	}
	return nil
}

// topics are what --help may be asked for beside a command: its groups.
func topics(node *kong.Node) (keys []string) {
	for _, g := range groups() {
		if slices.ContainsFunc(node.Flags, func(f *kong.Flag) bool { return f.Group != nil && f.Group.Key == g.Key }) {
			keys = append(keys, g.Key)
		}
	}
	return append(keys, allTopics)
}

func unknownTopic(node *kong.Node, word string, known []string) error {
	what := "group of flags"
	for _, child := range node.Children {
		if !child.Hidden {
			known, what = append(known, child.Name), "command"
		}
	}
	return fmt.Errorf("no help for %q, which is no %s of %q; the nearest is %q", word, what, node.FullPath(), nearest.Word(word, known))
}

// show is kong's HelpPrinter.
func (h *help) show(options kong.HelpOptions, ctx *kong.Context) error {
	node := ctx.Selected()
	if node == nil && h.topic == "" {
		return frontPage(ctx.Stdout, ctx.Model)
	}
	if node == nil || h.topic == allTopics || h.topic == "" && !isLong(node) {
		return kong.DefaultHelpPrinter(options, ctx)
	}
	if h.topic == "" {
		return firstPage(ctx.Stdout, node)
	}
	for _, flag := range node.Flags {
		flag.Hidden = flag.Hidden || flag.Group == nil || flag.Group.Key != h.topic
	}
	return kong.DefaultHelpPrinter(options, ctx)
}

// frontPage is what a newcomer sees.
func frontPage(w io.Writer, app *kong.Application) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s COMMAND [flags]\n\n%s\n\n", app.Name, app.Help)
	for _, child := range app.Children {
		if !child.Hidden {
			fmt.Fprintf(&b, "  %-11s %s\n", child.Name, cmp.Or(child.Tag.Get("brief"), child.Help))
		}
	}
	fmt.Fprintf(&b, "\nOn a gateway whose LAN is at lan0:\n\n  %s run --tproxy :12345 --install-rules --iface lan0\n\n", app.Name)
	fmt.Fprintf(&b, "%s COMMAND --help tells more, and so does man %s.\n", app.Name, app.Name)
	_, err := io.WriteString(w, b.String())
	return err
}

// isLong tells whether a command has a first page of its own.
func isLong(node *kong.Node) bool { return slices.ContainsFunc(node.Flags, isBrief) }

func isBrief(f *kong.Flag) bool { return f.Tag.Get("brief") != "" }

// firstPage fits a terminal of 80 columns and 24 lines.
func firstPage(w io.Writer, node *kong.Node) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s [flags]\n\n%s\n\n", node.FullPath(), node.Help)
	widest := 0
	for _, f := range node.Flags {
		if isBrief(f) {
			widest = max(widest, len(briefName(f)))
		}
	}
	for _, f := range node.Flags {
		if isBrief(f) {
			fmt.Fprintf(&b, "  %-*s  %s\n", widest, briefName(f), f.Tag.Get("brief"))
		}
	}
	fmt.Fprintf(&b, "\nMore flags, by group: %s --help GROUP, or all.\n", node.FullPath())
	var columns [2][]string
	keys := topics(node)
	keys = keys[:len(keys)-1]
	for i, key := range keys {
		column := i / ((len(keys) + 1) / 2)
		columns[column] = append(columns[column], fmt.Sprintf("%-10s %s", key, titleOf(key)))
	}
	for i, left := range columns[0] {
		right := ""
		if i < len(columns[1]) {
			right = columns[1][i]
		}
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("  %-36s %s", left, right), " "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// briefName is a flag as the first page has it.
func briefName(f *kong.Flag) string {
	if f.IsBool() {
		return "--" + f.Name
	}
	placeholder, _, _ := strings.Cut(f.FormatPlaceHolder(), "[")
	return "--" + f.Name + "=" + placeholder
}

func titleOf(group string) string {
	all := groups()
	return all[slices.IndexFunc(all, func(g kong.Group) bool { return g.Key == group })].Title
}
