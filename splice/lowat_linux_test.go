package splice

import (
	"bytes"
	"io"
	"testing"
	"time"
)

// A fast flow that pauses loses nothing: what follows the burst, however little, comes without another byte behind it, and
// so does the answer.
func TestShortMessageAfterBurst(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6"} {
		t.Run(network, func(t *testing.T) {
			g := newRig(t, network, Config{}).run()
			burst, got := pattern(7, 32<<20), make([]byte, 32<<20)
			for until := time.Now().Add(patience); g.hurries.Load() < 3; {
				if time.Now().After(until) {
					t.Fatalf("only %d silences of a fast flow", g.hurries.Load())
				}
				go g.client.Write(append(burst[:len(burst):len(burst)], "last"...))
				_, err := io.ReadFull(g.server, got)
				must(t, err)
				if !bytes.Equal(got, burst) {
					t.Fatal("the burst arrived changed")
				}
				var last [4]byte
				_, err = io.ReadFull(g.server, last[:])
				must(t, err)
				_, err = g.server.Write(last[:])
				must(t, err)
				_, err = io.ReadFull(g.client, last[:])
				must(t, err)
				if string(last[:]) != "last" {
					t.Fatalf("%q came back", last)
				}
			}
		})
	}
}
