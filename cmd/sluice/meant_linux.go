package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"sluice/redir/config"
)

// flagsOf are the flags that do what keys of inbounds and outbounds do, which are no
// flags themselves.
var flagsOf = map[string]string{"listen": "tproxy", "listen_port": "tproxy", "server": "upstream", "server_port": "upstream", "final": "upstream", "outbounds": "upstream"}

// alikeFlags are the flags of a command that do what other programs call by a name.
func alikeFlags(node *kong.Node, name string) (flags []string) {
	known := map[string]bool{}
	for _, group := range node.AllFlags(true) {
		for _, flag := range group {
			known[flag.Name] = true
		}
	}
	for _, key := range append([]string{strings.ReplaceAll(name, "-", "_")}, config.Alike(name)...) {
		flag, ok := flagsOf[key]
		if !ok {
			flag = strings.ReplaceAll(key, "_", "-")
		}
		if known[flag] && !slices.Contains(flags, flag) {
			flags = append(flags, flag)
		}
	}
	return flags
}

// otherNames says of the flags on a command line that other programs have what they are
// called here.
func otherNames(node *kong.Node, args []string) (lines []string) {
	for _, arg := range args {
		if arg == "--" {
			break
		}
		name, isFlag := strings.CutPrefix(arg, "--")
		name, _, _ = strings.Cut(name, "=")
		if !isFlag || slices.ContainsFunc(slices.Concat(node.AllFlags(false)...), func(f *kong.Flag) bool { return f.Name == name }) {
			continue
		}
		if flags := alikeFlags(node, name); len(flags) > 0 {
			lines = append(lines, fmt.Sprintf("--%s: sluice calls it --%s", name, strings.Join(flags, " or --")))
		}
	}
	return lines
}

// tellOtherNames tells of otherNames where a command line cannot be.
func tellOtherNames(usage *kong.ParseError) {
	if usage == nil || usage.Context == nil {
		return
	}
	if usage.Context.Selected() == nil {
		if line := misplaced(usage.Context.Model.Node, usage.Context.Args); line != "" {
			fmt.Fprintln(os.Stderr, "sluice:", line)
		}
		return
	}
	for _, line := range otherNames(usage.Context.Selected(), usage.Context.Args) {
		fmt.Fprintln(os.Stderr, "sluice:", line)
	}
}

// misplaced says of a flag that stands before its command where it belongs.
func misplaced(app *kong.Node, args []string) string {
	for i, arg := range args {
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if name == arg {
			continue
		}
		node := app
		for _, word := range args[i+1:] {
			if child := childOf(node, word); child != nil {
				node = child
			}
		}
		if slices.ContainsFunc(slices.Concat(node.AllFlags(true)...), func(f *kong.Flag) bool { return f.Name == name }) {
			return fmt.Sprintf("--%s stands behind the command: %s --%s", name, node.FullPath(), name)
		}
	}
	return ""
}
