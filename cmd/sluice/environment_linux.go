package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"sluice/cmd/sluice/control"
	"sluice/redir/config"
	"sluice/redir/nearest"
)

// environmentPrefix begins the names of sluice's variables.
const environmentPrefix = "SLUICE_"

// withVariables has each flag take its variable.
func withVariables() kong.Option {
	return kong.DefaultEnvars(strings.TrimSuffix(environmentPrefix, "_"))
}

// dropEmptyVariables takes those out that are empty, as a container's manager passes
// on those that nobody has set.
func dropEmptyVariables() {
	for _, name := range ownVariables() {
		if os.Getenv(name) == "" {
			os.Unsetenv(name)
		}
	}
}

// ownVariables are the names of all variables that look like sluice's.
func ownVariables() (names []string) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, environmentPrefix) {
			names = append(names, name)
		}
	}
	return names
}

// unknownVariables says of each variable that looks like sluice's and is none which is
// the nearest.
func unknownVariables(app *kong.Application) (lines []string) {
	known := []string{control.TokenVariable}
	_ = kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			known = append(known, flag.Envs...)
		}
		return next(nil)
	})
	for _, name := range ownVariables() {
		if !slices.Contains(known, name) && !isOthers(name) {
			lines = append(lines, fmt.Sprintf("%s: there is no such variable; %s", name, meantVariable(name, known)))
		}
	}
	return lines
}

// meantVariable is which variable was meant most likely by one that is none.
func meantVariable(name string, known []string) string {
	var words []string // of those that are known, without what all begin with
	for _, variable := range known {
		words = append(words, strings.TrimPrefix(variable, environmentPrefix))
	}
	word := strings.TrimPrefix(name, environmentPrefix)
	near, isNear := nearest.Close(word, words)
	if isNear {
		return "the nearest known one is " + environmentPrefix + near
	}
	for _, key := range config.Alike(word) {
		if meant := strings.ToUpper(key); slices.Contains(words, meant) {
			return "sluice calls it " + environmentPrefix + meant
		}
	}
	return "sluice run --help all names those that there are"
}

// tellsBeforehand are warnings about how a command was called, but for those that a
// log is for.
func tellsBeforehand(ctx *kong.Context) []string {
	if run, ok := ctx.Selected().Target.Addr().Interface().(*runCmd); ok && !run.PrintConfig {
		return nil
	}
	return unknownVariables(ctx.Model)
}

// isOthers tells of variables that others give this name: what Kubernetes and Docker
// tell of a service that is called sluice, and what only sluice's own tools and tests read.
func isOthers(name string) bool {
	return slices.ContainsFunc([]string{"PORT", "SERVICE_", "TEST_", "BENCH_"}, func(begin string) bool {
		return strings.HasPrefix(name, environmentPrefix+begin)
	})
}
