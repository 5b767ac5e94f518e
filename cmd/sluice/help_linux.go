package main

import (
	"errors"
	"fmt"
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

// outputError is help that could not be written.
type outputError struct{ error }

// find looks for a question for help in a command line. What it returns in its place
// is one that kong answers, by show.
func (h *help) find(app *kong.Application, args []string) ([]string, error) {
	if len(args) == 0 {
		return []string{"--help"}, nil
	}
	words, asked := args[1:], args[0] == "help"
	if asked && len(words) > 0 {
		words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "-h" || w == "--help" })
		if len(words) == 0 {
			words = args[:1]
		}
	}
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
		} else {
			for _, word := range args[i+1:] {
				if strings.HasPrefix(word, "-") {
					break
				}
				words = append(words, word)
			}
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
	text := fmt.Sprintf("no help for %q, which is no %s of %q", word, what, node.FullPath())
	for _, child := range node.Children {
		if slices.Contains(topics(child), word) && word != allTopics {
			return fmt.Errorf("%s; it is a group of flags: try %s --help %s", text, child.FullPath(), word)
		}
	}
	if meant, ok := nearest.Close(word, known); ok {
		text += fmt.Sprintf("; the nearest is %q", meant)
	}
	return errors.New(text)
}
