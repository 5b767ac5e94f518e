package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sluice/redir/config"
)

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
// are there. Each is there once.
func (f finder) find(given []string) (paths []string, err error) {
	if paths, err = f.all(given); err == nil {
		err = twice(paths)
	}
	return paths, err
}

// twice finds fault with a file that two paths lead to.
func twice(paths []string) error {
	var infos []os.FileInfo
	for i, path := range paths {
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			info = nil // which reading tells
		}
		for j, before := range infos {
			if paths[j] == path {
				return fmt.Errorf("configuration: %s comes twice: leave one out", config.Name(path))
			}
			if info != nil && before != nil && os.SameFile(before, info) {
				return fmt.Errorf("configuration: %s and %s are one file: leave one out", paths[j], paths[i])
			}
		}
		infos = append(infos, info)
	}
	return nil
}

// all is find, of files that may come twice.
func (f finder) all(given []string) (paths []string, err error) {
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
// manager leaves beside them has other names, or one that begins with a dot. What is no
// file, as a link to /dev/null, is passed over.
func filesIn(dir string) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	for _, e := range entries { // ReadDir sorts
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(path)
		isFile := err != nil || info.Mode().IsRegular() // reading tells what is wrong
		if strings.HasSuffix(path, ".json") && !strings.HasPrefix(e.Name(), ".") && isFile {
			paths = append(paths, path)
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
