package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/tailscale/hujson"
)

// space is what JSON allows between its tokens.
const space = " \t\r\n"

// tree reads the whole document, of which comments and commas after a last element
// are no part. Syntax is judged first, so that building can rely on it; what is not
// JSON is the only fault that is noted.
func (d *document) tree() (n node, ok bool) {
	plain := append(slices.Clone(d.text), '\n') // which a comment may end with
	if at, problem := d.encoding(); problem != "" {
		d.errorf(at, "", "%s", problem)
		return n, false
	}
	if at := tooDeep(plain); at >= 0 {
		d.errorf(at, "", "more than %d brackets are open here", maxOpen)
		return n, false
	}
	value, err := hujson.Parse(plain)
	if err != nil {
		d.syntax(err)
		return n, false
	}
	value.Standardize() // keeps offsets
	b := builder{document: d, plain: value.Pack()}
	b.tokens = json.NewDecoder(bytes.NewReader(b.plain))
	b.tokens.UseNumber()
	return b.node(), true
}

// maxOpen is more brackets than any configuration has open at once. Parsing recurses
// for each.
const maxOpen = 1000

// tooDeep is where too many are open, those of texts and comments included; -1: nowhere.
func tooDeep(text []byte) int {
	open := 0
	for at, c := range text {
		switch c {
		case '[', '{':
			if open++; open > maxOpen {
				return at
			}
		case ']', '}':
			open = max(0, open-1)
		}
	}
	return -1
}

// encoding finds fault with what is not UTF-8.
func (d *document) encoding() (at int, problem string) {
	if bytes.HasPrefix(d.text, []byte{0xff, 0xfe}) || bytes.HasPrefix(d.text, []byte{0xfe, 0xff}) {
		return 0, "the file is UTF-16: save it as UTF-8"
	}
	for at < len(d.text) {
		r, size := utf8.DecodeRune(d.text[at:])
		if r == utf8.RuneError && size == 1 {
			return at, fmt.Sprintf("the byte %#x is not UTF-8: save the file as UTF-8", d.text[at])
		}
		at += size
	}
	return 0, ""
}

// syntax says in which way the text is not JSON.
func (d *document) syntax(err error) {
	plain, unclosed := blanked(d.text)
	end := len(bytes.TrimRight(plain, space))
	ends := errors.Is(err, io.ErrUnexpectedEOF) // within something
	switch {
	case ends && unclosed >= 0:
		d.errorf(unclosed, "", "nothing ends the comment that begins here: it ends with */")
		return
	case end == 0 && len(bytes.Trim(d.text, space)) > 0:
		d.errorf(0, "", "the file is empty but for comments")
		return
	case end == 0:
		d.errorf(0, "", "the file is empty")
		return
	}
	var line, column int // the library has no other way to tell them
	if _, scanned := fmt.Sscanf(err.Error(), "hujson: line %d, column %d:", &line, &column); scanned != nil {
		d.errorf(0, "", "%v", err)
		return
	}
	cause := errors.Unwrap(err)
	if ends {
		d.errorf(end, "", "the file ends in the middle of a value")
		return
	}
	at := column - 1
	for rest := d.text; line > 1; line-- {
		next := bytes.IndexByte(rest, '\n') + 1
		rest, at = rest[next:], at+next
	}
	d.misplaced(plain, at, cause)
}

// misplaced notes what cannot stand where it stands in plain, the text without its
// comments.
func (d *document) misplaced(plain []byte, at int, cause error) {
	if at >= len(d.text) {
		d.errorf(len(d.text), "", "the file ends in the middle of a value")
		return
	}
	before, word := bytes.TrimRight(plain[:at], space), wordAt(plain[at:])
	problem := cause.Error()
	last := byte(',') // of what stands before
	if len(before) > 0 {
		last = before[len(before)-1]
	}
	_, after := hujson.Parse(slices.Clone(before))
	switch first := d.text[at]; {
	case first == '#' || first == ';' || first == '/':
		problem = "a comment begins with // or stands between /* and */"
	case after == nil:
		problem = "more text after the end of the configuration"
	case first == '\'':
		problem = `texts and keys stand in double quotes, as "listen_port"`
	case first == '=':
		problem = "a key and its value have a colon between them"
	case bytes.IndexByte([]byte("{[,:"), last) < 0 && bytes.IndexByte([]byte(",:}]"), first) < 0:
		at, problem = len(before), "a comma is missing here, or a colon"
	case first == '"': // a text that is none
		if bad := bytes.IndexFunc(d.text[at:], func(c rune) bool { return c < ' ' }); bad >= 0 {
			at, problem = at+bad, fmt.Sprintf("%q in a text: the text ends on its line, and holds this as an escape", d.text[at+bad])
		}
	case word != "":
		problem = fmt.Sprintf("%s: what is no number, true, false or null stands in double quotes, as %q", word, word)
	}
	d.errorf(at, "", "%s", problem)
}

// wordAt is the word that text begins with.
func wordAt(text []byte) string {
	end := bytes.IndexAny(text, space+",:[]{}\"'")
	if end < 0 || end > 50 {
		return ""
	}
	return string(text[:end])
}

// builder makes nodes of valid JSON.
type builder struct {
	*document
	plain  []byte // text without comments, of the same length
	tokens *json.Decoder
}

// next is the next token and its offset. The decoder knows where the token
// before ended; what lies between is space, a comma or a colon.
func (b *builder) next() (json.Token, int) {
	offset := int(b.tokens.InputOffset())
	offset += len(b.plain[offset:]) - len(bytes.TrimLeft(b.plain[offset:], space+",:"))
	token, _ := b.tokens.Token() // the syntax is right
	return token, offset
}

func (b *builder) node() node {
	token, offset := b.next()
	n := node{offset: offset, value: token}
	switch token {
	case json.Delim('['):
		n.value = b.list()
	case json.Delim('{'):
		n.value = b.object()
	}
	return n
}

func (b *builder) list() (list []node) {
	for b.tokens.More() {
		list = append(list, b.node())
	}
	b.next()
	return list
}

func (b *builder) object() (object members) {
	seen := map[string]bool{}
	for b.tokens.More() {
		token, offset := b.next()
		key, _ := token.(string)
		n := b.node()
		if seen[key] {
			b.errorf(offset, "", "key %q comes twice in one object", key)
			continue
		}
		seen[key] = true
		object = append(object, member{key, offset, n})
	}
	b.next()
	return object
}
