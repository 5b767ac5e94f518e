package sniff

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
)

// version is that of a QUIC packet.
type version uint32

const (
	version1 version = 1          // RFC 9000
	version2 version = 0x6b3343cf // RFC 9369
)

func (v version) isKnown() bool { return v == version1 || v == version2 }

// The salts of Initials (RFC 9001, 5.2; RFC 9369, 3.3.1).
const (
	salt1 = "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a"
	salt2 = "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9"
)

const (
	keySize   = 16 // of AEAD_AES_128_GCM (RFC 9001, 5.2)
	nonceSize = 12
)

// keys open what a client protects with its Initial keys.
type keys struct {
	packet cipher.AEAD
	header cipher.Block
	iv     [nonceSize]byte
}

// keysOf derives the keys from the connection id that the client's first Initial
// was sent to.
func keysOf(v version, dest []byte) (k keys, err error) {
	salt, prefix := salt1, "quic "
	if v == version2 {
		salt, prefix = salt2, "quicv2 "
	}
	secret := mac([]byte(salt), dest) // HKDF-Extract (RFC 5869, 2.2)
	client := expand(secret, "client in", sha256.Size)
	key := expand(client, prefix+"key", keySize)
	protection := expand(client, prefix+"hp", keySize)
	iv := expand(client, prefix+"iv", nonceSize)
	block, err := aes.NewCipher(key[:keySize])
	if err != nil {
		return keys{}, err
	}
	if k.packet, err = cipher.NewGCM(block); err != nil {
		return keys{}, err
	}
	k.header, err = aes.NewCipher(protection[:keySize])
	k.iv = [nonceSize]byte(iv[:])
	return k, err
}

// expand is HKDF-Expand-Label without a context (RFC 8446, 7.1), of which the first
// size bytes count.
func expand(secret [sha256.Size]byte, label string, size int) [sha256.Size]byte {
	const prefix, context, block = "tls13 ", 0, 1
	var room [mostMessage]byte
	info := append(room[:0], 0, byte(size), byte(len(prefix)+len(label)))
	info = append(append(append(info, prefix...), label...), context, block)
	return mac(secret[:], info)
}

// mostMessage bounds what mac takes beside a key, in bytes: a connection id, or
// what expand makes.
const mostMessage = 64

// mac is HMAC-SHA-256 (RFC 2104) with a key that is no longer than a block. With
// crypto/hkdf, the keys of a flight took 50 allocations instead of 3, and 1 us more.
func mac(key, message []byte) [sha256.Size]byte {
	var inner [sha256.BlockSize + mostMessage]byte
	var outer [sha256.BlockSize + sha256.Size]byte
	copy(inner[:], key)
	copy(outer[:], key)
	for i := range sha256.BlockSize {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	n := sha256.BlockSize + copy(inner[sha256.BlockSize:], message)
	sum := sha256.Sum256(inner[:n])
	copy(outer[sha256.BlockSize:], sum[:])
	return sha256.Sum256(outer[:])
}
