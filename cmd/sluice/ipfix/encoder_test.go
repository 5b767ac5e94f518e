package ipfix

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"sluice/redir/count"
	"sluice/redir/record"
)

func wall(ns int64) time.Time { return time.UnixMilli(1_700_000_000_000).Add(time.Duration(ns)) }

// sample is a record with everything that r gives.
func sample(r *rand.Rand) record.Record {
	addr := func() netip.AddrPort {
		var b [16]byte
		binary.BigEndian.PutUint64(b[:], r.Uint64())
		binary.BigEndian.PutUint64(b[8:], r.Uint64())
		port := uint16(r.Uint32())
		switch r.IntN(8) {
		case 0:
			return netip.AddrPort{}
		case 1:
			return netip.AddrPortFrom(netip.AddrFrom16(b), port)
		}
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), port)
	}
	flow := record.Record{
		ID: record.ID(r.Uint64()), Client: addr(), Dest: addr(), Dialed: addr(), Source: addr(), Server: addr(),
		Cause: count.All()[r.IntN(len(count.All()))], Start: r.Int64N(1 << 40), Active: r.Int64N(1 << 40),
		Up: record.Traffic{Bytes: r.Uint64()}, Down: record.Traffic{Bytes: r.Uint64()},
	}
	if flow.ID.IsSession() {
		flow.Up.Datagrams, flow.Down.Datagrams = r.Uint64(), r.Uint64()
	}
	return flow
}

// FuzzMessages encodes records that come in any order, and compares what a decoder
// makes of the messages.
func FuzzMessages(f *testing.F) {
	f.Add(uint64(1), uint16(1))
	f.Add(uint64(2), uint16(400))
	f.Fuzz(func(t *testing.T, seed uint64, n uint16) {
		r := rand.New(rand.NewPCG(seed, uint64(n)))
		e := Encoder{Domain: 7, Wall: wall}
		d := decoder{templates: map[uint16][]element{}}
		var sent []record.Record
		take := func() {
			m, records := e.Take(time.Unix(1_800_000_000, 0))
			if m == nil {
				return
			}
			before := len(d.records)
			if err := d.message(bytes.Clone(m)); err != nil {
				t.Fatal(err)
			}
			if len(m) > messageBytes || len(d.records)-before != records {
				t.Fatalf("%d bytes, %d records, want %d", len(m), len(d.records)-before, records)
			}
		}
		e.Templates()
		for range n % 500 {
			flow := sample(r)
			if !e.Append(&flow) {
				take()
				if !e.Append(&flow) {
					t.Fatal("no room in an empty message")
				}
			}
			if sent = append(sent, flow); r.IntN(20) == 0 {
				take()
			}
			if r.IntN(50) == 0 {
				take()
				e.Templates()
			}
		}
		take()
		if len(d.records) != len(sent) {
			t.Fatalf("%d records, want %d", len(d.records), len(sent))
		}
		for i := range sent {
			compare(t, &sent[i], d.records[i])
		}
	})
}

func compare(t *testing.T, want *record.Record, got decoded) {
	t.Helper()
	for element, value := range map[string]uint64{
		"148": uint64(want.ID), "1": want.Up.Bytes, "r1": want.Down.Bytes, "2": want.Up.Datagrams, "r2": want.Down.Datagrams,
		"152": uint64(wall(want.Start).UnixMilli()), "153": uint64(wall(want.Active).UnixMilli()),
		"7": uint64(want.Client.Port()), "11": uint64(want.Dest.Port()), "136": uint64(endReason(want.Cause)),
	} {
		if got.number(element) != value {
			t.Fatalf("%s: element %s is %d, want %d", want.ID, element, got.number(element), value)
		}
	}
	source, dest := beyond(want)
	for _, c := range []struct {
		element4, element6 string
		want               netip.Addr
	}{
		{"8", "27", want.Client.Addr()}, {"12", "28", want.Dest.Addr()}, {"225", "281", source.Addr()}, {"226", "282", dest.Addr()},
	} {
		bytes := got[c.element4]
		if bytes == nil {
			bytes = got[c.element6]
		}
		addr, _ := netip.AddrFromSlice(bytes)
		if !c.want.IsValid() {
			c.want = netip.IPv4Unspecified()
		}
		if addr.Unmap() != c.want.Unmap() {
			t.Errorf("%s: element %s is %v, want %v", want.ID, c.element4, addr, c.want)
		}
	}
}

func TestSizes(t *testing.T) {
	for _, l := range layouts() {
		n := 0
		for _, e := range l.elements() {
			n += int(e.length)
		}
		if l.size() != n {
			t.Errorf("%+v: %d bytes, and its elements have %d", l, l.size(), n)
		}
	}
}

func TestEndReasons(t *testing.T) {
	for cause, want := range map[count.Counter]byte{
		count.ConnsFinished: 3, count.TimedOutIdle: 1, count.FlowsIdle: 1, count.ConnsKilled: 4, count.FlowsEvicted: 5,
		count.FailedUpstreamRefused: 3,
	} {
		if got := endReason(cause); got != want {
			t.Errorf("%s is %d, want %d", cause, got, want)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	e := Encoder{Wall: wall}
	flow := sample(rand.New(rand.NewPCG(1, 1)))
	b.ReportAllocs()
	for b.Loop() {
		if !e.Append(&flow) {
			e.Take(time.Time{})
		}
	}
}
