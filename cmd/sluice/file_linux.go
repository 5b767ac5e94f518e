package main

import (
	"os"

	"github.com/alecthomas/kong"

	"sluice/redir/config"
)

// fileError is a fault of the file, not of the command line.
type fileError struct{ error }

func (e fileError) Unwrap() error { return e.error }

// BeforeResolve reads the file, if one is named, and puts what it says below
// flags and environment. kong calls it before it takes other sources into
// account.
func (cmd *runCmd) BeforeResolve(ctx *kong.Context) error {
	run := ctx.Selected()
	path := ""
	for _, flag := range run.Flags {
		if flag.Name == "config" {
			path = ctx.FlagValue(flag).(string)
		}
	}
	if path == "" {
		return nil
	}
	byFlag := map[*kong.Flag]setting{}
	var keys []config.Key
	for _, s := range settings(run) {
		byFlag[s.flag] = s
		keys = append(keys, s.Key)
	}
	var err error
	if cmd.file, err = config.Read(path, keys); err != nil {
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

func inEnvironment(flag *kong.Flag) bool {
	for _, name := range flag.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return true
		}
	}
	return false
}
