package sniff

// Most bounds what is looked at of a stream, and how long a hello may be, in bytes:
// one with two keys that withstand quantum computers has 4 KiB, and what holds
// HTTP headers by default holds 8 (Apache, nginx) or 16 (HAProxy).
const Most = 16 << 10

// Finding is what the first bytes of a client say.
type Finding struct {
	Verdict  Verdict
	Protocol Protocol // where it is known; also with No and More
	// Encrypted tells that a hello has ECH, or pretends to (GREASE): which of the
	// two is for its server to know. Name is the outer one then.
	Encrypted bool
	// Name is set with Found and, where it is known before the rest of a hello has
	// come, with More: who waits no longer may take it. It is valid until the
	// Sniffer is asked again or, of QUIC, the Flight is used.
	Name string
	// Need is, with More, of a stream, the length in bytes below which there will be
	// no name that can be relied on. It is at most Most.
	Need int
}

// Verdict tells whether there is a name.
type Verdict uint8

const (
	More  Verdict = iota // what has arrived may begin something that has one
	No                   // and no more bytes change that
	Found                // and all that is looked at has arrived
)

// Protocol is what a client speaks.
type Protocol uint8

const (
	Unknown Protocol = iota
	TLS
	HTTP // version 1
	QUIC
)

func (p Protocol) String() string { return [...]string{"unknown", "tls", "http", "quic"}[p] }

// settle makes a verdict of More one that ends, where nothing more is looked at.
func (f *Finding) settle() {
	if f.Verdict != More {
		return
	}
	f.Need = 0
	if f.Verdict = No; f.Name != "" {
		f.Verdict = Found
	}
}

// Sniffer is the room that looking takes. It belongs to one goroutine, which may
// use it for any number of clients, one after the other.
type Sniffer struct {
	name  nameRoom
	bytes [Most]byte // a hello that came in several records, or a packet that was opened
	nonce [nonceSize]byte
	mask  [maskSize]byte
}

// Stream looks at the begin of a stream of any protocol.
func (s *Sniffer) Stream(b []byte) Finding {
	switch {
	case len(b) == 0:
		return Finding{Need: 1}
	case b[0] == recordHandshake:
		return s.TLS(b)
	case inMethod(b[0]):
		return s.HTTP(b)
	}
	return Finding{Verdict: No}
}
