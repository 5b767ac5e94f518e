package splice

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPacketPiece(t *testing.T) {
	for segment, want := range map[int]piece{
		1448: 65160, 1428: 64260, 8948: 62636, 536: 64856, 1: packetBytes, packetBytes: packetBytes,
		packetBytes + 1: pieceWhatFits, 65483: pieceWhatFits, 0: pieceWhatFits, -1: pieceWhatFits,
	} {
		if got := packetPiece(segment); got != want {
			t.Errorf("segments of %d: %d, want %d", segment, got, want)
		}
	}
}

func TestPaces(t *testing.T) {
	for name, want := range map[string]bool{"bbr": true, "bbr2": true, "cubic": false, "reno": false, "b": false, "": false} {
		if got := Paces(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// A socket is asked for its congestion control and its segments: loopback's are longer than a packet, unless less is agreed on.
func TestPieceForASocket(t *testing.T) {
	w := NewWorkspace(Config{})
	defer w.Close()
	client, fd := join(t, "tcp4")
	defer client.Close()
	defer unix.Close(fd)
	for name, want := range map[string]piece{"reno": pieceWhatFits, "bbr": packetPiece(w.option.number(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG))} {
		switch err := unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, name); {
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EPERM):
			t.Logf("%s: %v", name, err) // a module that this machine does not have or not let us use
		case err != nil:
			t.Fatalf("%s: %v", name, err)
		default:
			if got := w.pieceFor(fd); got != want {
				t.Errorf("%s: %d, want %d", name, got, want)
			}
		}
	}
	if got := w.pieceFor(-1); got != pieceWhatFits {
		t.Errorf("no socket: %d", got)
	}
}

// Packet by packet everything arrives too, both ways at once, through pipes of that kind alone.
func TestPacketPieces(t *testing.T) {
	const size = 4 << 20
	for _, network := range ways {
		g := newRig(t, network, Config{Mode: Splice}).run()
		g.on(func() {
			for i := range g.relay.dirs {
				g.relay.dirs[i].piece = packetPiece(1448)
			}
		})
		up, down := pattern(21, size), pattern(22, size)
		go func() { g.client.Write(up); g.client.CloseWrite() }()
		go func() { g.server.Write(down); g.server.CloseWrite() }()
		read := make(chan struct{})
		go func() { defer close(read); expect(t, g.client, down) }()
		expect(t, g.server, up)
		<-read
		g.wants(verdict{status: Finished, moved: [2]uint64{size, size}})
		if wide, s := len(g.w.pipes.shelves[widePipe].idle), g.w.Stats(); wide != 0 || s.PipesIdle == 0 || s.Spliced == 0 {
			t.Errorf("%s: %d wide pipes idle of %+v", network, wide, s)
		}
	}
}

// At the bound, a pipe of one kind makes room for one of the other.
func TestPipesOfTwoKinds(t *testing.T) {
	p := newPipePool(1<<20, 1)
	wide := p.take(widePipe)
	if wide == nil || p.take(packetPipe) != nil {
		t.Fatalf("%+v", p)
	}
	p.give(wide)
	p.holdoff = 1
	if p.take(packetPipe) != nil || p.idle() != 1 {
		t.Fatalf("none is asked of the kernel now, so none is to make room: %+v", p)
	}
	packet := p.take(packetPipe)
	if packet == nil || packet.size != packetFragments*unix.Getpagesize() || p.open != 1 || p.idle() != 0 || p.ever != 2 || p.misses != 2 {
		t.Fatalf("%+v, %+v", packet, p)
	}
	p.give(packet)
	if p.idle() != 1 {
		t.Errorf("%+v", p)
	}
	p.trim() // needed since the last one
	p.trim()
	if p.open != 0 || p.idle() != 0 {
		t.Errorf("after two trims: %+v", p)
	}
}
