package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"sluice/redir/config"
)

// fileError is what is wrong with configuration files; the command line was right.
type fileError struct{ error }

// Unwrap is what is wrong.
func (e fileError) Unwrap() error { return e.error }

// finder finds the configuration files of a command. One stands in for it where the
// command may not read /etc, as in tests.
type finder struct {
	etc   string // directory of sluice.json and conf.d, which are read without --config; empty: none are
	stdin bool   // - is a file too
}

// etc is where a package puts the configuration.
const etc = "/etc/sluice"

// configOff is the value of --config for no file.
const configOff = "off"

var errStandardInput = errors.New("--config -: only check, route explain and rules read standard input: sluice run rereads its files")

// find returns the files that are read, in their order: those that --config names, of a
// directory all whose names end in .json, by name; without --config, those of etc that
// are there.
func (f finder) find(given []string) (paths []string, err error) {
	if slices.Equal(given, []string{configOff}) {
		return nil, nil
	}
	for _, path := range given {
		switch info, err := os.Stat(path); {
		case path == configOff:
			return nil, errors.New("--config off: reads no file, and so stands alone")
		case path == "-" && !f.stdin:
			return nil, errStandardInput
		case path == "-":
			paths = append(paths, path)
		case err != nil:
			return nil, fmt.Errorf("configuration: %w", err)
		case info.IsDir():
			in, err := filesIn(path)
			if err != nil || len(in) == 0 {
				return nil, errors.Join(err, fmt.Errorf("configuration: %s holds no file whose name ends in .json", path))
			}
			paths = append(paths, in...)
		default:
			paths = append(paths, path)
		}
	}
	if len(given) > 0 || f.etc == "" {
		return paths, nil
	}
	if path := filepath.Join(f.etc, "sluice.json"); exists(path) {
		paths = append(paths, path)
	}
	more, err := filesIn(filepath.Join(f.etc, "conf.d"))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return append(paths, more...), err
}

// exists tells whether something has this name, though it could not be read.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, os.ErrNotExist)
}

// filesIn are a directory's configuration files, by name. What an editor or a package
// manager leaves beside them has other names, or one that begins with a dot.
func filesIn(dir string) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	for _, e := range entries { // ReadDir sorts
		if strings.HasSuffix(e.Name(), ".json") && !strings.HasPrefix(e.Name(), ".") && !e.IsDir() {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, nil
}

// dirs are where the files are or may come to be.
func (f finder) dirs(given []string) (all []string) {
	if len(given) == 0 && f.etc != "" {
		given = []string{f.etc, filepath.Join(f.etc, "conf.d")}
	}
	for _, path := range given {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			all = append(all, path)
			in, _ := filesIn(path)
			for _, file := range in {
				all = append(all, dirsOf(file)...)
			}
		} else if err == nil {
			all = append(all, dirsOf(path)...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

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
		args = append(args, "--config="+path)
	}
	finder.stdin = true
	ctx, err := parse(append(args, more...), kong.Bind(finder))
	if err != nil {
		return nil, fileError{err}
	}
	return runOf(ctx), nil
}

// named names the files in an error.
func (cmd *runCmd) named(err error) error {
	if placed := new(config.Error); err == nil || len(cmd.files) == 0 || errors.As(err, &placed) {
		return err
	}
	return fmt.Errorf("%s: %w", strings.Join(cmd.files, ", "), err)
}

func inEnvironment(flag *kong.Flag) bool {
	for _, name := range flag.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return true
		}
	}
	return false
}
