package rules

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
)

const procSys = "/proc/sys/"

// readSysctl reports false when the setting does not exist here.
func readSysctl(name string) (string, bool) {
	value, err := os.ReadFile(procSys + name)
	return strings.TrimSpace(string(value)), err == nil
}

func writeSysctl(name, value string) error {
	if err := os.WriteFile(procSys+name, []byte(value), 0); err != nil {
		return fmt.Errorf("sysctl -w %s=%s: %w: set it by hand and leave --sysctl out", sysctlName(name), value, errors.Unwrap(err))
	}
	return nil
}

// unmet lists the plan's sysctls that exist and have another value.
func (p *Plan) unmet() []Sysctl {
	var unmet []Sysctl
	for _, s := range p.sysctls {
		if s.ofBridge() && !bridged(p.Spec.Ingress()) {
			continue
		}
		for _, one := range s.expanded() {
			if value, ok := readSysctl(one.Name); ok && value != one.Want {
				unmet = append(unmet, one)
			}
		}
	}
	return unmet
}

// expanded is the setting of each interface that is there, where the name
// holds a pattern.
func (s Sysctl) expanded() []Sysctl {
	if !strings.Contains(s.Name, anyTail) {
		return []Sysctl{s}
	}
	files, _ := filepath.Glob(procSys + s.Name)
	var all []Sysctl
	for _, file := range files {
		all = append(all, Sysctl{strings.TrimPrefix(file, procSys), s.Want, s.Why})
	}
	return all
}

// bridged tells whether one of the interfaces is a bridge or a VLAN on one;
// with none named, whether there is a bridge at all.
func bridged(ifaces []string) bool {
	links, err := netlink.LinkList()
	if err != nil {
		return false
	}
	bridges := map[int]bool{}
	for _, link := range links {
		if link.Type() == "bridge" {
			bridges[link.Attrs().Index] = true
		}
	}
	for _, link := range links {
		attrs := link.Attrs()
		named := len(ifaces) == 0 || slices.ContainsFunc(ifaces, func(name string) bool { return covers(name, attrs.Name) })
		if named && (bridges[attrs.Index] || bridges[attrs.ParentIndex]) {
			return true
		}
	}
	return false
}

// changes lists what to change for the plan, beside what an earlier
// installation (carried) has changed and what its old values were.
func (p *Plan) changes(carried []Changed) []Changed {
	all := append([]Changed{}, carried...)
	var beside []Changed
	for _, s := range p.unmet() {
		was, _ := readSysctl(s.Name)
		all = append(all, Changed{s.Name, was, s.Want})
		if strings.HasSuffix(s.Name, "forward") || strings.HasSuffix(s.Name, "forwarding") {
			beside = append(beside, forwardingTakesAlong(s.Name)...)
		}
	}
	return append(all, beside...)
}

// forwardingTakesAlong lists the settings that the kernel overwrites together
// with the forwarding of all interfaces (inet_forward_change,
// addrconf_fixup_forwarding) and that turning it off again would leave at
// another value than they have now.
func forwardingTakesAlong(name string) []Changed {
	conf := "net/ipv4/conf"
	var beside []Changed
	if strings.HasPrefix(name, "net/ipv6/") {
		conf = "net/ipv6/conf"
	} else if value, ok := readSysctl(conf + "/all/accept_redirects"); ok && value != "1" {
		beside = append(beside, Changed{conf + "/all/accept_redirects", value, "0"})
	}
	files, _ := filepath.Glob(procSys + conf + "/*/forwarding")
	for _, file := range files {
		path := strings.TrimPrefix(file, procSys)
		if value, ok := readSysctl(path); ok && value != "0" && path != conf+"/all/forwarding" {
			beside = append(beside, Changed{path, value, "1"})
		}
	}
	return beside
}

// apply writes the new values.
func apply(changed []Changed) error {
	for _, c := range changed {
		if value, ok := readSysctl(c.Name); !ok || value == c.Now {
			continue
		}
		if err := writeSysctl(c.Name, c.Now); err != nil {
			return err
		}
	}
	return nil
}

// putBack restores the old values, but of settings that somebody changed
// since. All are looked at before any is written, since one may move another.
func putBack(changed []Changed) error {
	var mine []Changed
	for _, c := range changed {
		if value, ok := readSysctl(c.Name); ok && value == c.Now {
			mine = append(mine, c)
		}
	}
	var errs error
	for _, c := range mine {
		if value, _ := readSysctl(c.Name); value != c.Was {
			errs = errors.Join(errs, writeSysctl(c.Name, c.Was))
		}
	}
	return errs
}
