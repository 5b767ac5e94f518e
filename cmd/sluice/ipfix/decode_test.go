package ipfix

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// decoded is a record as a collector has it: values by element, of the reverse ones
// with an r before.
type decoded map[string][]byte

func (d decoded) number(element string) (n uint64) {
	for _, b := range d[element] {
		n = n<<8 | uint64(b)
	}
	return n
}

// decoder is a collector that knows nothing but RFC 7011 and 5103.
type decoder struct {
	templates map[uint16][]element
	sequence  uint32
	records   []decoded
}

var errShort = errors.New("cut off")

func (d *decoder) message(m []byte) error {
	if len(m) < headerBytes || int(binary.BigEndian.Uint16(m[2:])) != len(m) || binary.BigEndian.Uint16(m) != version {
		return fmt.Errorf("header %x of %d bytes", m[:min(len(m), headerBytes)], len(m))
	}
	before := len(d.records)
	if got := binary.BigEndian.Uint32(m[8:]); got != d.sequence {
		return fmt.Errorf("sequence %d, want %d", got, d.sequence)
	}
	for rest := m[headerBytes:]; len(rest) > 0; {
		if len(rest) < setBytes {
			return errShort
		}
		id, length := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		if length < setBytes || length > len(rest) {
			return fmt.Errorf("set %d of %d bytes, of %d", id, length, len(rest))
		}
		if err := d.set(id, rest[setBytes:length]); err != nil {
			return err
		}
		rest = rest[length:]
	}
	d.sequence += uint32(len(d.records) - before)
	return nil
}

func (d *decoder) set(id uint16, body []byte) error {
	if id == 2 {
		return d.learn(body)
	}
	elements, known := d.templates[id]
	if !known {
		return fmt.Errorf("set of an unknown template %d", id)
	}
	for len(body) > 0 {
		record := decoded{}
		for _, e := range elements {
			if int(e.length) > len(body) {
				return errShort
			}
			name := fmt.Sprint(e.id)
			if e.reverse {
				name = "r" + name
			}
			record[name], body = body[:e.length], body[e.length:]
		}
		d.records = append(d.records, record)
	}
	return nil
}

func (d *decoder) learn(body []byte) error {
	for len(body) > 0 {
		if len(body) < 4 {
			return errShort
		}
		id, fields := binary.BigEndian.Uint16(body), int(binary.BigEndian.Uint16(body[2:]))
		body = body[4:]
		var elements []element
		for range fields {
			if len(body) < 4 {
				return errShort
			}
			e := element{id: binary.BigEndian.Uint16(body), length: binary.BigEndian.Uint16(body[2:])}
			body = body[4:]
			if e.id&(1<<15) != 0 {
				if len(body) < 4 || binary.BigEndian.Uint32(body) != 29305 {
					return errors.New("an enterprise of which nobody knows")
				}
				e.id, e.reverse, body = e.id&^(1<<15), true, body[4:]
			}
			elements = append(elements, e)
		}
		d.templates[id] = elements
	}
	return nil
}
