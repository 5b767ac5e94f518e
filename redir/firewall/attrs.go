package firewall

import (
	"bytes"
	"encoding/binary"
	"iter"
)

// attrs are the netlink attributes of a buffer (netlink(7), struct nlattr),
// as far as they are whole. What is lent stays valid as long as the buffer.
func attrs(data []byte) iter.Seq2[uint16, []byte] {
	const header, kindBits = 4, 0x3fff // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
	return func(yield func(uint16, []byte) bool) {
		for len(data) >= header {
			size := int(binary.NativeEndian.Uint16(data))
			if size < header || size > len(data) {
				return
			}
			if !yield(binary.NativeEndian.Uint16(data[2:])&kindBits, data[header:size]) {
				return
			}
			data = data[min((size+3)&^3, len(data)):]
		}
	}
}

// find is the first attribute of the kind; nil: there is none.
func find(data []byte, kind uint16) []byte {
	for k, value := range attrs(data) {
		if k == kind {
			return value[:len(value):len(value)]
		}
	}
	return nil
}

// number is an attribute in network byte order, of up to 8 bytes; 0: none.
func number(data []byte, kind uint16) uint64 {
	var n uint64
	if value := find(data, kind); len(value) <= 8 {
		for _, b := range value {
			n = n<<8 | uint64(b)
		}
	}
	return n
}

// text is an attribute that ends with a zero byte.
func text(data []byte, kind uint16) string {
	value, _, _ := bytes.Cut(find(data, kind), []byte{0})
	return string(value)
}
