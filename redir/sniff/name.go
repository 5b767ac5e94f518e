package sniff

const (
	// mostName and mostLabel bound names and their labels, in bytes, as text (RFC
	// 1035, 2.3.4: 255 with the length bytes of the first label and of the root).
	mostName  = 253
	mostLabel = 63
)

// nameRoom is where a name is.
type nameRoom [mostName]byte

// normal is a name as rules know it, in room; "" for what is none: an address, or
// what no host can be called (RFC 952 and 1123; underscores are found in practice).
func (room *nameRoom) normal(b []byte) string {
	if len(b) > 0 && b[len(b)-1] == '.' {
		b = b[:len(b)-1]
	}
	if len(b) == 0 || len(b) > mostName {
		return ""
	}
	label, digits := 0, 0 // of the current label: its bytes, and how many are digits
	for i, c := range b {
		switch {
		case 'a' <= c && c <= 'z' || c == '-' || c == '_':
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case '0' <= c && c <= '9':
			digits++
		case c == '.' && label > 0:
			label, digits = -1, 0
		default:
			return ""
		}
		if label++; label > mostLabel {
			return ""
		}
		room[i] = c
	}
	if label == digits { // an IPv4 address: no domain's last label is a number
		return ""
	}
	return text(room[:len(b)])
}
