package rules

import (
	"errors"
	"testing"
)

// TestLeave asserts that rules which are left stay in force without an owner, that
// the next Install has them, and that its Close leaves the machine as it was.
func TestLeave(t *testing.T) {
	for name, spec := range map[string]Spec{
		"tproxy":         {TCPPort: 1, UDPPort: 2, Sysctl: true, Table: 321},
		"redirect":       {TCPPort: 1, Via: Redirect},
		"redirect, open": {TCPPort: 1, Via: Redirect, Fail: Open},
		"output, open":   {TCPPort: 1, UDPPort: 2, Output: true, Fail: Open},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetns(t)
			n.sh("sysctl -qw net.ipv4.conf.all.accept_redirects=0") // ip_forward takes it along
			before := n.state()
			n.do(func() {
				first, err := Install(spec)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := Install(spec); !errors.As(err, new(*LivingError)) {
					t.Errorf("a second install beside the first: %v", err)
				}
				for range 3 {
					if err := errors.Join(first.Leave(), first.Leave(), first.Close()); err != nil {
						t.Error(err)
					}
					if status, err := ReadStatus(); err != nil || len(status.Missing) > 0 {
						t.Errorf("missing after Leave: %v, %v", status.Missing, err)
					}
					if first, err = Install(spec); err != nil {
						t.Error(err)
						return
					}
				}
				if err := first.Close(); err != nil {
					t.Error(err)
				}
			})
			if diff := differ(before, n.state()); diff != "" {
				t.Errorf("left:\n%s", diff)
			}
		})
	}
}
