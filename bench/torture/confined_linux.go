package torture

import (
	"context"
	"fmt"
	"math/bits"
	"strconv"

	"golang.org/x/sys/unix"
)

// needed are the capabilities that carrying traffic with one's own rules can need:
// transparent sockets and marks, raw replies, ports below 1024.
const needed = 1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_NET_RAW | 1<<unix.CAP_NET_BIND_SERVICE

// confined reads what every thread may do, after traffic has gone.
func confined(ctx context.Context, s *stage) error {
	if err := s.serve(servePort); err != nil {
		return err
	}
	p, err := s.start(ctx)
	if err != nil {
		return err
	}
	for _, v6 := range []bool{false, true} {
		if err := s.Client.Do(func() error { return pingTCP(dest(v6, servePort), patience) }); err != nil {
			return fmt.Errorf("traffic: %w", err)
		}
	}
	threads := threads(p.Process)
	if len(threads) == 0 {
		return fmt.Errorf("no thread in %s", p.Path("task"))
	}
	privileged, unfiltered, able := 0, 0, 0
	for _, status := range threads {
		if statusField(status, "NoNewPrivs") != "1" {
			privileged++
		}
		if statusField(status, "Seccomp") != "2" {
			unfiltered++
		}
		caps, err := strconv.ParseUint(statusField(status, "CapEff"), 16, 64)
		if err != nil {
			return fmt.Errorf("CapEff: %w", err)
		}
		able = max(able, bits.OnesCount64(caps&^needed))
	}
	s.note("threads", float64(len(threads)), "")
	s.atMost("threads without no_new_privs", float64(privileged), "", 0)
	s.atMost("threads without a seccomp filter", float64(unfiltered), "", 0)
	s.atMost("capabilities beyond those needed", float64(able), "", 0)
	return p.stop(ctx)
}
