package frame

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
	"time"
)

func TestEveryBitIsGuarded(t *testing.T) {
	want := Header{Size: 300, Reply: 7, Kind: Request, Flow: 1 << 60, Seq: 42, Stamp: -5}
	b := NewSlot(make([]byte, 300), 9).Put(want)
	if got, err := Parse(b); err != nil || got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	for bit := range len(b) * 8 {
		b[bit/8] ^= 1 << (bit % 8)
		if _, err := Parse(b); err == nil {
			t.Errorf("flipped bit %d passes", bit)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
	if _, err := Parse(b[:299]); !errors.Is(err, ErrSize) {
		t.Errorf("cut frame: %v", err)
	}
	if _, err := Parse(b[:10]); !errors.Is(err, ErrSize) {
		t.Errorf("cut header: %v", err)
	}
}

func TestReaderTakesFramesHoweverTheyArrive(t *testing.T) {
	var stream []byte
	sizes := []int{HeaderSize, 100, 70000, 49, 5000}
	for i, n := range sizes {
		stream = append(stream, NewSlot(make([]byte, n), uint64(i)).Put(Header{Seq: uint64(i)})...)
	}
	for name, src := range map[string]io.Reader{
		"at once": bytes.NewReader(stream), "byte by byte": iotest.OneByteReader(bytes.NewReader(stream)),
	} {
		r := NewReader(src, 4096)
		for i, n := range sizes {
			h, b, err := r.Next()
			if err != nil || h.Seq != uint64(i) || len(b) != n {
				t.Fatalf("%s: frame %d: %+v, %d bytes, %v", name, i, h, len(b), err)
			}
		}
		if _, _, err := r.Next(); err != io.EOF {
			t.Errorf("%s: end: %v", name, err)
		}
	}
	r := NewReader(bytes.NewReader(stream[:130]), 4096)
	_, _, _ = r.Next()
	if _, _, err := r.Next(); err != io.ErrUnexpectedEOF {
		t.Errorf("cut stream: %v", err)
	}
}

// The tracker agrees with a set, for any order of seqs within its window.
func TestTrackerAgreesWithASet(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var tr Tracker
	seen := map[uint64]bool{}
	var unique, duplicate, reordered, next uint64
	base := uint64(0)
	for range 200_000 {
		if rng.IntN(50_000) == 0 {
			base += 3 * trackerBits // a long loss
		}
		base += uint64(rng.IntN(2))
		seq := base + uint64(rng.IntN(1000))
		switch {
		case seen[seq]:
			duplicate++
		default:
			unique++
			if seq < next {
				reordered++
			}
		}
		if tr.Arrive(seq) == seen[seq] {
			t.Fatalf("seq %d: first %v", seq, !seen[seq])
		}
		seen[seq] = true
		next = max(next, seq+1)
	}
	if tr.Unique != unique || tr.Duplicate != duplicate || tr.Reordered != reordered {
		t.Errorf("tracker %d %d %d, set %d %d %d", tr.Unique, tr.Duplicate, tr.Reordered, unique, duplicate, reordered)
	}
}

func TestJitterOfAKnownVariation(t *testing.T) {
	var steady, swinging Jitter
	for i := range int64(1000) {
		steady.Arrive(i*1000, i*1000+77)
		swinging.Arrive(i*1_000_000, i*1_000_000+(i%2)*50_000)
	}
	if steady.Value() != 0 {
		t.Errorf("steady: %v", steady.Value())
	}
	if v := swinging.Value(); v < 49*time.Microsecond || v > 51*time.Microsecond {
		t.Errorf("swinging by 50us: %v", v)
	}
}

func TestBodies(t *testing.T) {
	s := Stats{1, 2, 3, 4, 5, 6, 7}
	b := New(Header{Kind: Report, Flow: 1}, s.Append(nil))
	if got, err := ParseStats(b[HeaderSize:]); err != nil || got != s || len(b) != StatsSize {
		t.Errorf("%+v, %v, %d bytes", got, err, len(b))
	}
	w := SourceSpec{Size: 100, Rate: 5, Duration: time.Second, Single: true}
	b = New(Header{Kind: Source}, w.Append(nil))
	if got, err := ParseSource(b[HeaderSize:]); err != nil || got != w || len(b) != SourceSize {
		t.Errorf("%+v, %v, %d bytes", got, err, len(b))
	}
}

func FuzzParse(f *testing.F) {
	f.Add(NewSlot(make([]byte, 64), 1).Put(Header{}))
	f.Add([]byte(Magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := Parse(b); err == nil && int(h.Size) != len(b) {
			t.Fatalf("%d bytes say %d", len(b), h.Size)
		}
		r := NewReader(bytes.NewReader(b), 64)
		for {
			if _, _, err := r.Next(); err != nil && !errors.Is(err, ErrChecksum) {
				break
			}
		}
		if len(b) > HeaderSize {
			_, _ = ParseStats(b[HeaderSize:])
			_, _ = ParseSource(b[HeaderSize:])
		}
	})
}

func TestPutAndParseAllocateNothing(t *testing.T) {
	s := NewSlot(make([]byte, 1200), 1)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Parse(s.Put(Header{Seq: 1})); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
