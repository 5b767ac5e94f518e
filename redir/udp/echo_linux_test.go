package udp

import (
	"net/netip"
	"testing"
	"time"

	"sluice/loop"
)

func TestEchoes(t *testing.T) {
	question, answer := []byte{1, 2, 0x01, 0}, []byte{1, 2, 0x81, 0}
	for _, c := range []struct {
		from, to uint16
		payload  []byte
		want     bool
	}{
		{7, 7, nil, true},
		{7, 19, []byte("x"), true},
		{123, 123, question, true},
		{53, 53, answer, true},
		{53, 53, question, false}, // a resolver with a fixed port
		{40000, 53, answer, false},
		{40000, 7, nil, false},
		{7, 40000, nil, false},
		{500, 500, nil, false},
		{5060, 5060, nil, false},
	} {
		m := loop.Received{Payload: c.payload,
			Source: netip.AddrPortFrom(documentation4, c.from), Dest: netip.AddrPortFrom(documentation4, c.to)}
		if got := echoes(&m); got != c.want {
			t.Errorf("from %d to %d %v: %v", c.from, c.to, c.payload, got)
		}
	}
}

// TestEchoMeter has datagrams go to and fro as fast as a LAN allows, and as slow
// as NTP.
func TestEchoMeter(t *testing.T) {
	var fast, slow echoMeter
	passed, now := 0, int64(time.Hour)
	for range 20_000 {
		now += int64(500 * time.Microsecond)
		if fast.passes(now, 1) {
			passed++
		}
	}
	if want := echoBurst + 10*echoRate; passed > want+1 || passed < want-1 {
		t.Errorf("%d pass in 10 s, want %d", passed, want)
	}
	for range 20_000 {
		now += int64(time.Second)
		if !slow.passes(now, 1) {
			t.Fatal("one a second is too many")
		}
	}
	if n := testing.AllocsPerRun(100, func() { now++; fast.passes(now, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
