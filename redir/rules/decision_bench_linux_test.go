package rules

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// manyNetworks are as many networks as asked for, of both families, half each;
// none of them has an address of the world's.
func manyNetworks(n int) (all []netip.Prefix) {
	random := rand.New(rand.NewPCG(7, 7))
	for range n / 2 {
		v := random.Uint32()
		all = append(all, netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(20 + v>>24%180), byte(v >> 16), byte(v >> 8), byte(v)}), 20+random.IntN(5)).Masked())
		v6 := [16]byte{0: 0x2a, 1: byte(v), 2: byte(v >> 8), 3: byte(v >> 16), 4: byte(v >> 24), 5: byte(random.IntN(256))}
		all = append(all, netip.PrefixFrom(netip.AddrFrom16(v6), 40+random.IntN(9)).Masked())
	}
	return all
}

// amongMany forwards what goes to the servers, which stand among many networks, and
// diverts what goes to as many before.
func amongMany(n int) []Decision {
	return []Decision{
		{Dests: NewAddrs(rangesOf(manyNetworks(n / 2)))},
		{Forward: true, Dests: NewAddrs(rangesOf(append(manyNetworks(n / 2)[:n/2-2], prefixes("10.9.2.0/24", "fd09:2::/64")...)))},
	}
}

// BenchmarkForwarded compares traffic that a decision leaves to the kernel with
// what plain gateways make of it, both tracking connections: one without policy
// rules, and one that has some (routed), as for a VPN or two uplinks, where the
// kernel asks the rules for each packet that it forwards, and once more for its
// source (fib_validate_source). In rounds that alternate, by CPU time: the medians of
// the rounds' ratios.
func BenchmarkForwarded(b *testing.B) {
	const rounds, networks = 81, 100_000
	worlds := []*world{newWorld(b), newWorld(b), newWorld(b)}
	for _, w := range worlds {
		w.gateway.sh("nft -f - <<'END'\ntable inet track { chain c {\n type filter hook forward priority 0\n ct state established accept\n }\n }\nEND")
		w.discard()
		w.answerOnce()
	}
	worlds[0].startProxy()
	worlds[0].install(Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Decisions: amongMany(networks)})
	worlds[2].gateway.sh("for ip in 'ip -4' 'ip -6'; do $ip rule add fwmark 0x10/0x10 lookup 110 priority 90; $ip route add local default dev lo table 110; done")
	for name, measure := range map[string]func(*world, string) float64{"bulk": bulk, "crr": requests, "udp": datagrams} {
		for family, addr := range serverAddrs {
			b.Run(fmt.Sprintf("%s/%d", name, 4+2*family), func(b *testing.B) {
				var ofPlain, ofRouted, plain []float64
				for range rounds {
					var rates [3]float64
					for i, w := range worlds {
						rates[i] = measure(w, addr)
					}
					ofPlain, ofRouted, plain = append(ofPlain, rates[0]/rates[1]), append(ofRouted, rates[0]/rates[2]), append(plain, rates[1])
				}
				for unit, all := range map[string][]float64{"of-plain": ofPlain, "of-routed": ofRouted, "plain/CPU-s": plain} {
					slices.Sort(all)
					b.ReportMetric(all[rounds/2], unit)
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

const measured = 30 * time.Millisecond

// bulk is bytes a second of one connection to the server.
func bulk(w *world, addr string) (rate float64) {
	var conn net.Conn
	w.client.do(func() {
		var err error
		if conn, err = net.Dial("tcp", net.JoinHostPort(addr, fmt.Sprint(discardPort))); err != nil {
			w.t.Fatal(err)
		}
	})
	defer conn.Close()
	block := make([]byte, 1<<18)
	return perSecond(func() float64 {
		n, err := conn.Write(block)
		if err != nil {
			w.t.Error(err)
		}
		return float64(n)
	})
}

// requests is connections a second, one after the other, with an exchange each.
func requests(w *world, addr string) (rate float64) {
	domain, at := socketAddress(addr, oncePort)
	w.client.do(func() {
		buffer := make([]byte, 16)
		rate = perSecond(func() float64 {
			fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err == nil {
				err = unix.Connect(fd, at)
			}
			if err == nil {
				_, err = unix.Write(fd, buffer[:1])
			}
			if err == nil {
				_, err = unix.Read(fd, buffer)
			}
			if err != nil {
				w.t.Fatal(err)
			}
			unix.Close(fd)
			return 1
		})
	})
	return rate
}

// answerOnce answers one connection after the other, and has each end at the
// server, so that the client's ports do not run out.
func (w *world) answerOnce() {
	for _, addr := range serverAddrs {
		domain, at := socketAddress(addr, oncePort)
		server := w.server.thread()
		var listener int
		server.do(func() {
			var err error
			if listener, err = unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
				w.t.Fatal(err)
			}
			if err := errors.Join(unix.Bind(listener, at), unix.Listen(listener, 128)); err != nil {
				w.t.Fatal(err)
			}
		})
		w.t.Cleanup(func() { _ = unix.Shutdown(listener, unix.SHUT_RDWR) })
		server.calls <- func() {
			buffer := make([]byte, 16)
			for {
				fd, _, err := unix.Accept(listener)
				if err != nil {
					unix.Close(listener)
					return
				}
				if n, _ := unix.Read(fd, buffer); n > 0 {
					_, _ = unix.Write(fd, buffer[:n])
				}
				unix.Close(fd)
			}
		}
	}
}

func socketAddress(addr string, port int) (domain int, at unix.Sockaddr) {
	ip := netip.MustParseAddr(addr)
	if ip.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Addr: ip.As4(), Port: port}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Addr: ip.As16(), Port: port}
}

// datagrams is small datagrams a second of one flow, which nobody answers.
func datagrams(w *world, addr string) (rate float64) {
	w.client.do(func() {
		conn, err := net.Dial("udp", net.JoinHostPort(addr, fmt.Sprint(discardPort)))
		if err != nil {
			w.t.Fatal(err)
		}
		defer conn.Close()
		payload := make([]byte, 16)
		rate = perSecond(func() float64 {
			for range 100 {
				if _, err := conn.Write(payload); err != nil {
					w.t.Fatal(err)
				}
			}
			return 100
		})
	})
	return rate
}

// perSecond repeats what returns how much it did, and returns how much that is for
// a second of CPU time of this process, which is the client and the server, and in
// whose time the kernel forwards: what else the machine does counts little.
func perSecond(do func() float64) (rate float64) {
	begin, used := time.Now(), cpuTime()
	sum := 0.0
	for time.Since(begin) < measured {
		sum += do()
	}
	return sum / (cpuTime() - used).Seconds()
}

func cpuTime() time.Duration {
	var usage unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

const (
	discardPort = 9
	oncePort    = 7
)

// discard takes in what comes and says nothing.
func (w *world) discard() {
	for _, addr := range serverAddrs {
		at := net.JoinHostPort(addr, fmt.Sprint(discardPort))
		w.server.do(func() {
			l, err := net.Listen("tcp", at)
			if err != nil {
				w.t.Fatal(err)
			}
			w.t.Cleanup(func() { l.Close() })
			go func() {
				for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
					go func() {
						defer conn.Close()
						buffer := make([]byte, 1<<20)
						for err := error(nil); err == nil; {
							_, err = conn.Read(buffer)
						}
					}()
				}
			}()
		})
	}
	w.server.sh(fmt.Sprintf("nft -f - <<'END'\ntable inet deaf { chain c {\n type filter hook prerouting priority -500\n udp dport %d drop\n }\n }\nEND", discardPort))
}
