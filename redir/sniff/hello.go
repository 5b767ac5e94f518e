package sniff

import "golang.org/x/crypto/cryptobyte"

const (
	clientHello   = 1 // handshake type (RFC 8446, 4)
	handshakeHead = 4 // bytes: type, length

	extensionServerName = 0      // RFC 6066, 3
	extensionECH        = 0xfe0d // RFC 9849, 5
	hostName            = 0      // of the kinds of names, the only one
)

// missingOf is how many bytes a handshake message lacks, as far as it says.
func missingOf(message []byte) int {
	if len(message) < handshakeHead {
		return handshakeHead - len(message)
	}
	return max(0, handshakeHead+lengthOf(message)-len(message))
}

func lengthOf(message []byte) int {
	return int(message[1])<<16 | int(message[2])<<8 | int(message[3])
}

// hello looks at a handshake message that may be a hello, or the begin of one, whose
// name is put into room.
// Protocol and Need are the caller's to set.
func hello(message []byte, room *nameRoom) Finding {
	if len(message) > 0 && message[0] != clientHello {
		return Finding{Verdict: No}
	}
	if len(message) < handshakeHead {
		return Finding{}
	}
	missing := missingOf(message)
	if missing == 0 {
		message = message[:handshakeHead+lengthOf(message)]
	}
	name, encrypted := namesIn(message[handshakeHead:])
	f := Finding{Name: room.normal(name), Encrypted: encrypted}
	if missing == 0 {
		f.settle()
	}
	return f
}

// namesIn reads a hello, as far as it goes: its name, if it has come, and whether
// there is one that is encrypted.
func namesIn(hello cryptobyte.String) (name []byte, encrypted bool) {
	const versionAndRandom, lengthOfExtensions = 2 + 32, 2
	var session, suites, compressions, extension cryptobyte.String
	if !hello.Skip(versionAndRandom) || !hello.ReadUint8LengthPrefixed(&session) ||
		!hello.ReadUint16LengthPrefixed(&suites) || !hello.ReadUint8LengthPrefixed(&compressions) ||
		!hello.Skip(lengthOfExtensions) {
		return nil, false
	}
	for {
		var kind uint16
		if !hello.ReadUint16(&kind) || !hello.ReadUint16LengthPrefixed(&extension) {
			return name, encrypted
		}
		switch {
		case kind == extensionServerName && name == nil:
			name = hostIn(extension)
		case kind == extensionECH:
			encrypted = true
		}
	}
}

// hostIn reads the first host name of a list of names.
func hostIn(extension cryptobyte.String) []byte {
	var names, name cryptobyte.String
	if !extension.ReadUint16LengthPrefixed(&names) {
		return nil
	}
	for {
		var kind uint8
		switch {
		case !names.ReadUint8(&kind) || !names.ReadUint16LengthPrefixed(&name):
			return nil
		case kind == hostName:
			return name
		}
	}
}
