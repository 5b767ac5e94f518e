package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/route"
)

// File is what a configuration file says, or several that are read as one. It is never
// changed after it was read.
type File struct {
	Inbounds  []inbound.Spec  // none if the file names none
	Outbounds []outbound.Spec // likewise
	Route     route.Spec

	settings map[string][]string
	inbounds []spot // of Inbounds
}

// Setting is what the file says about the key, as texts that its flag takes:
// one, or any number where the key takes a list. False: nothing.
func (f *File) Setting(k Key) (texts []string, ok bool) {
	texts, ok = f.settings[k.Path()]
	return texts, ok
}

// Source is a file's text. Errors call the file by its name, and what it names by a
// relative path stands beside it.
type Source struct {
	Name string
	Text []byte
}

// maxFile is the size in bytes above which a file is no configuration: room
// for some hundred thousand excluded networks.
const maxFile = 16 << 20

// Read is Join of the files at paths; - is standard input.
func Read(paths []string, keys []Key) (*File, error) {
	var sources []Source
	for _, path := range paths {
		source, err := Load(path)
		if err != nil {
			return nil, err
		}
		sources = append(sources, source)
	}
	return Join(sources, keys)
}

// standardInput is its path.
const standardInput = "-"

// Name is what errors call the file at a path.
func Name(path string) string {
	if path == standardInput {
		return "standard input"
	}
	return path
}

// Load reads a file's text.
func Load(path string) (s Source, err error) {
	file := os.Stdin
	if path == standardInput {
		path = Name(path)
	} else if file, err = os.Open(path); err != nil {
		return s, fmt.Errorf("configuration: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return s, fmt.Errorf("configuration: %w", err)
	}
	if len(text) > maxFile {
		return s, fmt.Errorf("configuration: %s is larger than %d MiB", path, maxFile>>20)
	}
	return Source{path, text}, nil
}

// Parse is Join of one file.
func Parse(name string, text []byte, keys []Key) (*File, error) {
	return Join([]Source{{name, text}}, keys)
}

// beside is a path as the file means it that names it: relative to its directory.
func (d *document) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(d.name), path)
}

// isInbound tells an inbound that stands alone from a whole file.
func isInbound(top node) bool {
	object, _ := top.value.(members)
	_, typed := object.find("type")
	_, port := object.find("listen_port")
	_, inbounds := object.find("inbounds")
	return (typed || port) && !inbounds
}

func names(keys []Key, object string) []string {
	var in []string
	for _, k := range keys {
		if k.Object == object {
			in = append(in, k.Name)
		}
	}
	return in
}

// objectsOf are the objects that keys stand in, beside the file's own.
func objectsOf(keys []Key) (objects []string) {
	for _, k := range keys {
		if k.Object != "" && !slices.Contains(objects, k.Object) {
			objects = append(objects, k.Object)
		}
	}
	return objects
}
