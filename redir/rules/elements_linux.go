package rules

import (
	"encoding/binary"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Bounds of what carries a set's elements, in bytes: the list of one message, whose
// length is a 16-bit number (struct nlattr), and the messages of one transaction.
const (
	mostElements    = 1<<16 - 1 - 256
	mostTransaction = 4 << 20
)

// fill puts the ranges of a set that no rule names yet into it, in as many
// transactions as it takes: one for a million would be a buffer of a hundred
// megabytes, here and in the kernel.
func (h *holder) fill(table string, s set) error {
	var messages []netlink.Message
	size := 0
	for from := 0; from < s.spans.Len(); {
		elements, next := s.spans.elements(from)
		from = next
		messages = append(messages, newElements(table, s.name, elements))
		if size += len(elements); size < mostTransaction && next < s.spans.Len() {
			continue
		}
		if err := h.batch(messages...); err != nil {
			return fmt.Errorf("set %s of table inet %s: %w", s.name, table, explain(err))
		}
		messages, size = messages[:0], 0
	}
	return nil
}

func newElements(table, set string, elements []byte) netlink.Message {
	attributes := append(tableAttribute(unix.NFTA_SET_ELEM_LIST_TABLE, []byte(table+"\x00")),
		tableAttribute(unix.NFTA_SET_ELEM_LIST_SET, []byte(set+"\x00"))...)
	attributes = append(attributes, tableAttribute(unix.NLA_F_NESTED|unix.NFTA_SET_ELEM_LIST_ELEMENTS, elements)...)
	return tableMessage(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWSETELEM, netlink.Create|netlink.Acknowledge, unix.NFPROTO_INET, 0, attributes)
}

// elements are ranges from one on as attributes, as many as a message carries, and
// the range that follows: each is its first key, and the one behind its last, where
// there is one, which ends it.
func (s spans) elements(from int) (attributes []byte, next int) {
	const overhead = 3*4 + 8 // headers of three attributes, and the flags
	for next = from; next < s.Len() && len(attributes)+2*(overhead+s.size) <= mostElements; next++ {
		first, last := s.at(next)
		attributes = appendElement(attributes, first, false)
		if end, ok := after(last); ok {
			attributes = appendElement(attributes, end, true)
		}
	}
	return attributes, next
}

// appendElement appends one key. All lengths are multiples of 4, as attributes
// have to be.
func appendElement(b, key []byte, ends bool) []byte {
	const header = 4
	value := header + len(key)
	size := 2*header + value
	if ends {
		size += 2 * header
	}
	b = appendHeader(b, unix.NLA_F_NESTED|unix.NFTA_LIST_ELEM, size)
	if ends {
		b = appendHeader(b, unix.NFTA_SET_ELEM_FLAGS, 2*header)
		b = binary.BigEndian.AppendUint32(b, unix.NFT_SET_ELEM_INTERVAL_END)
	}
	b = appendHeader(b, unix.NLA_F_NESTED|unix.NFTA_SET_ELEM_KEY, header+value)
	b = appendHeader(b, unix.NFTA_DATA_VALUE, value)
	return append(b, key...)
}

func appendHeader(b []byte, kind uint16, size int) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(size))
	return binary.NativeEndian.AppendUint16(b, kind)
}
