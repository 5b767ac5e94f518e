package config

import (
	"fmt"
	"io"
	"os"
	"slices"

	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/route"
)

// File is what a configuration file says. It is never changed after Parse.
type File struct {
	Inbounds  []inbound.Spec  // none if the file names none
	Outbounds []outbound.Spec // likewise
	Route     route.Spec
	settings  map[string][]string
}

// Setting is what the file says about the key, as texts that its flag takes:
// one, or any number where the key takes a list. False: nothing.
func (f *File) Setting(k Key) (texts []string, ok bool) {
	texts, ok = f.settings[k.Path()]
	return texts, ok
}

// maxFile is the size in bytes above which a file is no configuration: room
// for some hundred thousand excluded networks.
const maxFile = 16 << 20

// Read is Parse of the file at path.
func Read(path string, keys []Key) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("configuration: %s is larger than %d MiB", path, maxFile>>20)
	}
	return Parse(path, text, keys)
}

// Parse reads a file's text; name is what errors call the file. It may hold
// the inbounds and the keys, or be one inbound alone. Errors are *Error.
func Parse(name string, text []byte, keys []Key) (*File, error) {
	d := &document{name: name, text: text, keys: keys}
	top, err := d.tree()
	if err != nil {
		return nil, err
	}
	f := &File{settings: map[string][]string{}}
	if isInbound(top) {
		f.Inbounds, err = d.inbounds("", []node{top})
	} else {
		err = d.settings(f, top, keys)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// isInbound tells an inbound that stands alone from a whole file.
func isInbound(top node) bool {
	object, _ := top.value.(members)
	_, typed := object.find("type")
	_, port := object.find("listen_port")
	_, inbounds := object.find("inbounds")
	return (typed || port) && !inbounds
}

// settings reads the file's own object and the objects in it.
func (d *document) settings(f *File, top node, keys []Key) error {
	var objects []string
	for _, k := range keys {
		if k.Object != "" && !slices.Contains(objects, k.Object) {
			objects = append(objects, k.Object)
		}
	}
	own, err := d.members(top, "", atTop, append(names(keys, ""), append(objects, "inbounds", "outbounds", "route")...))
	if err != nil {
		return err
	}
	if list, ok := own.find("inbounds"); ok {
		nodes, isList := list.value.([]node)
		if !isList {
			return d.errorf(list.offset, "inbounds", "want a list of objects, not %s", list)
		}
		if f.Inbounds, err = d.inbounds("inbounds", nodes); err != nil {
			return err
		}
	}
	if list, ok := own.find("outbounds"); ok {
		if f.Outbounds, err = d.outbounds(list); err != nil {
			return err
		}
	}
	if n, ok := own.find("route"); ok {
		if f.Route, err = d.route(n, f.Outbounds); err != nil {
			return err
		}
	}
	if err := d.object(f, own, "", keys); err != nil {
		return err
	}
	for _, name := range objects {
		n, ok := own.find(name)
		if !ok {
			continue
		}
		inner, err := d.members(n, name, inObject(name), names(keys, name))
		if err != nil {
			return err
		}
		if err := d.object(f, inner, name, keys); err != nil {
			return err
		}
	}
	return nil
}

// object takes in the settings of one object.
func (d *document) object(f *File, m members, object string, keys []Key) error {
	for _, k := range keys {
		n, ok := m.find(k.Name)
		if !ok || k.Object != object {
			continue
		}
		texts, err := d.texts(k, n)
		if err != nil {
			return err
		}
		f.settings[k.Path()] = texts
	}
	return nil
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

// members are the object's, none of which has an unknown key.
func (d *document) members(n node, path string, at place, known []string) (members, error) {
	object, ok := n.value.(members)
	if _, list := n.value.([]node); list && at == inObject("rules") {
		return nil, d.errorf(n.offset, path, `want an object, which says what is diverted, not a list; rules that lead to outbounds stand in "route": {"rules": [...]}`)
	}
	if !ok {
		return nil, d.errorf(n.offset, path, "want an object, not %s", n)
	}
	for _, m := range object {
		if !slices.Contains(known, m.key) {
			return nil, d.unknown(m, path, at, known)
		}
	}
	return object, nil
}
