package flood

import (
	"net/netip"
	"testing"
)

func TestSourcesDiffer(t *testing.T) {
	for _, from := range []string{"10.0.0.0/30", "10.0.0.7/32", "fd00::/64", "fd00::1/127"} {
		s := Spec{From: netip.MustParsePrefix(from)}
		seen := map[netip.AddrPort]bool{}
		for n := range uint64(60_000) {
			source := s.source(n)
			if !s.From.Contains(source.Addr()) || source.Port() < firstPort || seen[source] {
				t.Fatalf("%s: source %d is %v, seen before: %v", from, n, source, seen[source])
			}
			seen[source] = true
		}
	}
}

// TestChecksums: a packet's sums, checksums included, come to nothing.
func TestChecksums(t *testing.T) {
	for _, c := range [][2]string{{"10.1.2.3:4567", "192.0.2.1:80"}, {"[fd00::1]:4567", "[2001:db8::1]:80"}} {
		from, to := netip.MustParseAddrPort(c[0]), netip.MustParseAddrPort(c[1])
		header := ip6Header
		if from.Addr().Is4() {
			header = ip4Header
		}
		for _, kind := range []Kind{UDP, SYN, RST, ACK} {
			for _, size := range []int{0, 1, 64} {
				p := appendPacket(nil, kind, from, to, size)
				if from.Addr().Is4() && partial(partSum(p[:header])) != 0xffff {
					t.Errorf("%s: checksum of the IP header", kind)
				}
				proto := byte(protoTCP)
				if kind == UDP {
					proto = protoUDP
				}
				if sum := pseudoSum(from.Addr(), to.Addr(), proto, len(p)-header) + partSum(p[header:]); partial(sum) != 0xffff {
					t.Errorf("%s of %d bytes from %v: checksum %#x", kind, size, from, partial(sum))
				}
			}
		}
	}
}

func partial(sum uint32) uint32 {
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return sum
}

func TestCheck(t *testing.T) {
	good := Spec{Kind: SYN, Target: netip.MustParseAddrPort("192.0.2.1:80"), From: netip.MustParsePrefix("10.0.0.0/8"), Rate: 1, Duration: 1}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for _, change := range []func(*Spec){
		func(s *Spec) { s.Kind = "x" }, func(s *Spec) { s.Target = netip.AddrPort{} }, func(s *Spec) { s.From = netip.MustParsePrefix("fd00::/8") },
		func(s *Spec) { s.Rate = 0 }, func(s *Spec) { s.Size = maxSize + 1 }, func(s *Spec) { s.Duration = 0 },
	} {
		bad := good
		change(&bad)
		if bad.Check() == nil {
			t.Errorf("%+v passes", bad)
		}
	}
}
