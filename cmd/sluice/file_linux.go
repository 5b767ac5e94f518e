package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"sluice/redir/config"
)

// fileError is what is wrong with configuration files; the command line was right.
type fileError struct{ error }

// Unwrap is what is wrong.
func (e fileError) Unwrap() error { return e.error }

// BeforeResolve reads the configuration files, which then stand between the environment
// and the defaults.
func (cmd *runCmd) BeforeResolve(ctx *kong.Context, finder finder) (err error) {
	run := ctx.Selected()
	cmd.finder = finder
	var given []string
	for _, flag := range run.Flags {
		if flag.Name == "config" {
			given, _ = ctx.FlagValue(flag).([]string)
		}
	}
	if cmd.files, err = finder.find(given); err != nil {
		return fileError{err}
	}
	if len(cmd.files) == 0 {
		return nil
	}
	byFlag := map[*kong.Flag]setting{}
	var keys []config.Key
	for _, s := range settings(run) {
		byFlag[s.flag] = s
		keys = append(keys, s.Key)
	}
	if cmd.file, err = config.Read(cmd.files, keys); err != nil {
		return fileError{err}
	}
	ctx.AddResolver(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		s, known := byFlag[flag]
		texts, given := cmd.file.Setting(s.Key)
		if !known || !given || inEnvironment(flag) {
			return nil, nil
		}
		return s.token(texts), nil
	}))
	return nil
}

// parseFiles is `sluice run` with configuration files alone, for those who look at what
// it would do: - is standard input, and none are those of etc.
func parseFiles(paths []string, finder finder, more ...string) (*runCmd, error) {
	args := []string{"run"}
	for _, path := range paths {
		args = append(args, "--config="+kong.JoinEscaped([]string{path}, ','))
	}
	finder.stdin = true
	ctx, err := parse(append(args, more...), kong.Bind(finder))
	if err != nil {
		return nil, fileError{err}
	}
	return runOf(ctx), nil
}

// pathsOfEnvironment is what the environment has --config be.
func pathsOfEnvironment() []string {
	var paths []string
	for _, path := range kong.SplitEscaped(os.Getenv(environmentPrefix+"CONFIG"), ',') {
		paths = append(paths, strings.TrimSpace(path))
	}
	return paths
}

// namesOf are the files' in errors.
func namesOf(paths []string) []string {
	names := []string{}
	for _, path := range paths {
		names = append(names, config.Name(path))
	}
	return names
}

// named names the files in an error.
func (cmd *runCmd) named(err error) error {
	if placed := new(config.Error); err == nil || len(cmd.files) == 0 || errors.As(err, &placed) {
		return err
	}
	return fmt.Errorf("%s: %w", strings.Join(namesOf(cmd.files), ", "), err)
}

func inEnvironment(flag *kong.Flag) bool {
	for _, name := range flag.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return true
		}
	}
	return false
}
