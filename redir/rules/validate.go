package rules

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// validate names the first thing in the Spec (defaults filled in) that cannot
// be, and what to do about it.
func (s Spec) validate() error {
	for _, check := range []func(Spec) error{
		checkModes, checkIfaces, checkWays, checkListeners, checkTargets, checkOutput, checkMarks, checkTable, checkPriority, checkRulePriority, checkSources, checkNoTrack, checkDecisions, checkLeftConntrackMark,
	} {
		if err := check(s); err != nil {
			return err
		}
	}
	return nil
}

func checkModes(s Spec) error {
	switch {
	case !s.diverts() && !s.routed():
		return errors.New("no port: say where sluice listens, as --port 12345")
	case s.Via != TProxy && s.Via != Redirect:
		return fmt.Errorf("via %q: want tproxy or redirect", s.Via)
	case s.Fail != Open && s.Fail != Closed:
		return fmt.Errorf("fail %q: want open or closed", s.Fail)
	case s.Established != Keep && s.Established != Divert:
		return fmt.Errorf("established %q: want keep or divert", s.Established)
	case s.Via == Redirect && s.UDPPort != 0:
		return errors.New("via redirect: carries TCP alone: use --proto tcp, or --via tproxy for UDP")
	case s.Via == Redirect && s.Established == Divert:
		return errors.New("via redirect: a nat chain sees only new flows: use --established keep, or --via tproxy")
	}
	return nil
}

func checkIfaces(s Spec) error {
	for _, name := range append(slices.Clone(s.Ifaces), s.Oifaces...) {
		if err := checkIface(name); err != nil {
			return err
		}
	}
	for _, w := range s.Ways {
		for _, name := range w.Ifaces {
			if err := checkIface(name); err != nil {
				return fmt.Errorf("%s: %w", w.name(), err)
			}
		}
	}
	return nil
}

func checkIface(name string) error {
	stem := strings.TrimSuffix(name, anyTail)
	switch {
	case name == "lo":
		return errors.New("interface lo: the gateway's own traffic is diverted with --output")
	case stem == "" && isPattern(name):
		return errors.New("interface *: that is every interface: leave --iface or --oiface out")
	case covers(name, "lo"):
		return fmt.Errorf("interface %s: takes in lo: write more of the name", name)
	case name == "" || len(stem) > 15: // IFNAMSIZ - 1, linux/if.h
		return fmt.Errorf("interface %q: a name has 1 to 15 characters: see ip link", name)
	case !plain(stem, "._-"):
		return fmt.Errorf("interface %q: want a name, or the beginning of one as ppp* or wg+: see ip link", name)
	}
	return nil
}

func checkTargets(s Spec) error {
	for _, r := range s.Dports {
		if r.Lo == 0 || r.Lo > r.Hi {
			return fmt.Errorf("destination ports %s: want a range from low to high, from 1 to 65535", r)
		}
	}
	for _, prefix := range append(append([]netip.Prefix{}, s.Include...), s.Exclude...) {
		switch {
		case !prefix.IsValid():
			return errors.New("destination: not a network: write it as 192.0.2.0/24 or 2001:db8::/32")
		case prefix.Addr().Is4In6():
			return fmt.Errorf("destination %s: write the IPv4 network itself", prefix)
		case prefix != prefix.Masked():
			return fmt.Errorf("destination %s: has bits beyond its length: write %s", prefix, prefix.Masked())
		}
	}
	return nil
}

func checkOutput(s Spec) error {
	switch {
	case !s.Output && len(s.ExcludeUIDs) > 0:
		return fmt.Errorf("exclude uid %d: only the gateway's own traffic has a user: add --output", s.ExcludeUIDs[0])
	case !s.Output && s.ExcludeCgroup != "":
		return fmt.Errorf("exclude cgroup %q: only the gateway's own traffic has a cgroup: add --output", s.ExcludeCgroup)
	case s.ExcludeCgroup != "" && (cgroupLevel(s.ExcludeCgroup) == 0 || !plain(s.ExcludeCgroup, "._-/@:")):
		return fmt.Errorf("exclude cgroup %q: want a path below the cgroup v2 mount, as system.slice/sluice.service", s.ExcludeCgroup)
	}
	return nil
}

func checkMarks(s Spec) error {
	switch {
	case s.Mark == 0 || s.Mark&^s.Mask != 0:
		return fmt.Errorf("fwmark %#x/%#x: the mark must not be 0 and must lie within its mask, as 0x1/0x1", s.Mark, s.Mask)
	case s.OwnMark&s.Mask == s.Mark:
		return fmt.Errorf("own mark %#x: falls under fwmark %#x/%#x, so sluice's own packets would come back to it: choose another --mark or --fwmark", s.OwnMark, s.Mark, s.Mask)
	case s.Mark&s.OwnMark == s.OwnMark:
		return fmt.Errorf("fwmark %#x: holds the bits of the own mark %#x, so diverted packets would look like sluice's own: choose another --mark or --fwmark", s.Mark, s.OwnMark)
	case s.CTMark == 0 || s.CTMark&^s.CTMask != 0:
		return fmt.Errorf("conntrack mark %#x/%#x: the mark must not be 0 and must lie within its mask, as %#x/%#x", s.CTMark, s.CTMask, DefaultCTMark, DefaultCTMask)
	case s.CTMark&s.Mask == s.Mark || s.CTMark&s.OwnMark == s.OwnMark:
		return fmt.Errorf("conntrack mark %#x: holds the bits of fwmark %#x/%#x or of the own mark %#x, so that whoever restores it into packets would divert them: choose another --ct-mark",
			s.CTMark, s.Mark, s.Mask, s.OwnMark)
	}
	return nil
}

func checkTable(s Spec) error {
	if s.Table < 1 || s.Table > 1<<31-1 {
		return fmt.Errorf("routing table %d: want a number from 1, as 100", s.Table)
	}
	if s.Table >= 253 && s.Table <= 255 { // RT_TABLE_DEFAULT, MAIN, LOCAL
		return fmt.Errorf("routing table %d: is the system's own: choose another, as --table 100", s.Table)
	}
	return nil
}

func checkPriority(s Spec) error {
	if *s.Priority <= priorityConntrack {
		return fmt.Errorf("priority %d: the connection tracker comes at %d and these rules need it: choose a later one, as %d",
			*s.Priority, priorityConntrack, priorityMangle)
	}
	return nil
}

func checkRulePriority(s Spec) error {
	const main = 32766 // the rule that sends everything to the table main
	if n := *s.RulePriority; n < 1 || n >= main {
		return fmt.Errorf("rule priority %d: the rule must stand after the local table (0) and before main (%d): choose one from 1 to %d, as --rule-priority %d",
			n, main, main-1, DefaultRulePriority)
	}
	return nil
}

func parsePort(text string) (uint16, error) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err == nil && port == 0 {
		err = strconv.ErrRange
	}
	return uint16(port), err
}

// plain tells whether text is made of letters, digits and the others named,
// since it is printed into commands that people paste into a root shell.
func plain(text, others string) bool {
	for _, r := range text {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && !strings.ContainsRune(others, r) {
			return false
		}
	}
	return true
}

// cgroupLevel is the depth of a path below the cgroup mount: 2 for a/b.
func cgroupLevel(path string) int {
	path = strings.Trim(path, "/")
	if path == "" {
		return 0
	}
	return strings.Count(path, "/") + 1
}
