package socket

import "testing"

func TestTOSOfHeader(t *testing.T) {
	for _, c := range []struct {
		header []byte
		want   uint8
	}{
		{[]byte{0x45, 0xb9, 0, 60}, 0xb8},
		{[]byte{0x6b, 0x90, 0, 0}, 0xb8},
		{[]byte{0x60, 0x30, 0, 0}, 0}, // ECN alone
		{[]byte{0x45}, 0},
		{[]byte{0x15, 0xff}, 0},
		{nil, 0},
	} {
		if got := tosOf(c.header); got != c.want {
			t.Errorf("%x: %#x, want %#x", c.header, got, c.want)
		}
	}
}
