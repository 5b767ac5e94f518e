package config

import (
	"bytes"
	"slices"
)

// joint reads files as one.
type joint struct {
	keys      []Key
	file      *File
	faults    Errors
	documents []*document
	tops      []members // of documents

	setPlaces       []spot // of its rule sets
	outboundReaders []outboundReader
}

// spot is where something stands in a file.
type spot struct {
	document *document
	offset   int
	path     string
}

// from names it in an error about a document.
func (s spot) from(d *document) string {
	if s.document == d {
		return s.path
	}
	return s.path + " of " + s.document.name
}

// Join reads files as one: what stands in lists (inbounds, outbounds, rules and rule
// sets) is joined, in the order of the files; of a setting, the last file's value is
// taken. Each may hold inbounds and keys, or be one inbound alone. What is wrong are
// Errors.
func Join(sources []Source, keys []Key) (*File, error) {
	j := &joint{keys: keys, file: &File{settings: map[string][]string{}}}
	var roots []node
	for _, s := range sources {
		d := &document{name: s.Name, text: bytes.TrimPrefix(s.Text, []byte(byteOrderMark)), keys: keys, faults: &j.faults}
		if root, ok := d.tree(); ok {
			roots = append(roots, root)
		}
		j.documents = append(j.documents, d)
	}
	if len(roots) < len(sources) { // what they would have declared is not known
		return nil, inOrder(j.faults, j.documents)
	}
	for i, root := range roots {
		j.tops = append(j.tops, j.top(j.documents[i], root))
	}
	if len(j.faults) == 0 {
		j.checkOutbounds()
	}
	j.routes()
	if err := inOrder(j.faults, j.documents); err != nil {
		return nil, err
	}
	return j.file, nil
}

// top reads a file but for its routes, and returns its own object.
func (j *joint) top(d *document, root node) members {
	if isInbound(root) {
		j.inbounds(d, "", []node{root})
		return nil
	}
	r := objectReader{document: d, node: root}
	if !r.object() {
		return nil
	}
	objects := objectsOf(j.keys)
	r.known(append(names(j.keys, ""), append(objects, "inbounds", "outbounds", "route")...))
	if list, ok := r.members.find("inbounds"); ok {
		nodes, isList := list.value.([]node)
		if !isList {
			d.errorf(list.offset, "inbounds", "want a list of objects, not %s", list)
		}
		j.inbounds(d, "inbounds", nodes)
	}
	if list, ok := r.members.find("outbounds"); ok {
		j.outbounds(d, list)
	}
	j.object(d, r.members, "")
	for _, name := range objects {
		n, ok := r.members.find(name)
		inner := objectReader{document: d, node: n, path: name}
		if ok && inner.object() {
			inner.known(names(j.keys, name))
			j.object(d, inner.members, name)
		}
	}
	return r.members
}

// object takes in the settings of one object.
func (j *joint) object(d *document, m members, object string) {
	for _, k := range j.keys {
		if n, ok := m.find(k.Name); ok && k.Object == object {
			j.file.settings[k.Path()] = d.texts(k, n)
		}
	}
}

// known finds fault with keys that are none.
func (r *objectReader) known(known []string) {
	for _, m := range r.members {
		if !slices.Contains(known, m.key) {
			r.unknown(m, known)
		}
	}
}

// AtInbound is err about an inbound of the file, with its place.
func (f *File) AtInbound(i int, err error) error {
	if i < 0 || i >= len(f.inbounds) {
		return err
	}
	s := f.inbounds[i]
	return s.document.place(s.offset, s.path, err.Error())
}
