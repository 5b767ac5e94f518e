package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"sluice/cmd/sluice/document"
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

// help is what is asked for about a command: all of its flags, those of a group, or,
// without a topic, the first page.
type help struct{ topic string }

// usageError is a command line that cannot be.
type usageError struct {
	error
	command string // whose help tells more
}

// outputError is help that could not be written.
type outputError struct{ error }

// find looks for a question for help in a command line. What it returns in its place
// is one that kong answers, by show.
func (h *help) find(app *kong.Application, args []string) ([]string, error) {
	before, words, asked := question(args)
	if !asked {
		return args, nil
	}
	node := app.Node
	for _, word := range before {
		if child := childOf(node, word); child != nil {
			node = child
		}
	}
	for len(words) > 0 && childOf(node, words[0]) != nil {
		node, words = childOf(node, words[0]), words[1:]
	}
	if len(words) > 0 {
		h.topic = words[0]
		if len(words) > 1 || h.topic != document.All && !hasGroup(node, h.topic) {
			return nil, usageError{unknownTopic(node, words[len(words)-1]), node.FullPath()}
		}
	}
	return append(strings.Fields(node.Path()), "--help"), nil
}

// question is what a command line asks help for: commands and a topic, behind commands
// among flags and their values.
func question(args []string) (before, words []string, asked bool) {
	isHelp := func(a string) bool { return a == "-h" || a == "--help" }
	if len(args) == 0 {
		return nil, nil, true
	}
	if args[0] == "help" {
		words = slices.DeleteFunc(slices.Clone(args[1:]), isHelp)
		if len(words) == 0 && len(args) > 1 { // help --help
			words = args[:1]
		}
		return nil, words, true
	}
	i := slices.IndexFunc(args, func(a string) bool { return isHelp(a) || a == "--" || strings.HasPrefix(a, "--help=") })
	if i < 0 || args[i] == "--" {
		return nil, nil, false
	}
	if _, topic, ok := strings.Cut(args[i], "="); ok {
		return args[:i], []string{topic}, true
	}
	words = args[i+1:]
	if flag := slices.IndexFunc(words, func(a string) bool { return strings.HasPrefix(a, "-") }); flag >= 0 {
		words = words[:flag]
	}
	return args[:i], words, true
}

func childOf(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Name == name {
			return child
		}
	}
	return nil
}

// hasGroup tells whether help may be asked for a group of the command's flags.
func hasGroup(node *kong.Node, word string) bool {
	return slices.ContainsFunc(document.Topics(node), func(t document.Word) bool { return t.Text == word && word != document.All })
}

func unknownTopic(node *kong.Node, word string) error {
	known := []string{document.All}
	for _, topic := range document.Topics(node) {
		known = append(known, topic.Text)
	}
	what := "group of flags"
	for _, child := range node.Children {
		if !child.Hidden {
			known, what = append(known, child.Name), "command"
		}
	}
	text := fmt.Sprintf("no help for %q, which is no %s of %q", word, what, node.FullPath())
	for _, child := range node.Children {
		if hasGroup(child, word) {
			return fmt.Errorf("%s; it is a group of flags: try %s --help %s", text, child.FullPath(), word)
		}
	}
	if meant, ok := nearest.Close(word, known); ok {
		text += fmt.Sprintf("; the nearest is %q", meant)
	}
	return errors.New(text)
}
