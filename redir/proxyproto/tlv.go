package proxyproto

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	headTLV = 3    // type, length
	typeCRC = 0x03 // PP2_TYPE_CRC32C
	sizeCRC = 4
)

// checkTLVs passes over the TLVs of a header, which begin at the offset at, and
// reports whether they fill it. A checksum must be right: who adds one wants that
// (the specification, 2.2.3).
func checkTLVs(header []byte, at int) bool {
	for at < len(header) {
		if len(header)-at < headTLV {
			return false
		}
		kind, size := header[at], int(binary.BigEndian.Uint16(header[at+1:]))
		at += headTLV
		if len(header)-at < size {
			return false
		}
		if kind == typeCRC && (size != sizeCRC || !checksumFits(header, at)) {
			return false
		}
		at += size
	}
	return true
}

// checksumFits compares the checksum at an offset with that of the header, in
// which its own bytes count as zeros.
func checksumFits(header []byte, at int) bool {
	sum := crc32.Update(0, castagnoli, header[:at])
	sum = crc32.Update(sum, castagnoli, zeros[:])
	sum = crc32.Update(sum, castagnoli, header[at+sizeCRC:])
	return sum == binary.BigEndian.Uint32(header[at:])
}

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	zeros      [sizeCRC]byte
)
