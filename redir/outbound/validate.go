package outbound

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/redir/greet"
	"sluice/redir/route"
	"sluice/redir/upstream"
)

// Fault is what makes no sense in one of several outbounds.
type Fault struct {
	Index int // into the specs
	Tag   string
	Key   string // of the file; "": the outbound as a whole
	Err   error
}

func (f *Fault) Error() string {
	if f.Key == "" {
		return fmt.Sprintf("outbound %q: %v", f.Tag, f.Err)
	}
	return fmt.Sprintf("outbound %q: %s: %v", f.Tag, f.Key, f.Err)
}

func (f *Fault) Unwrap() error { return f.Err }

// Validate reports the first setting that makes no sense, as a *Fault that says what
// would. Specs may name Direct without its being one of them.
func Validate(specs []Spec) error {
	if !isTagged(specs, direct().Tag) {
		specs = append(slices.Clip(specs), direct())
	}
	v := validation{specs: specs, index: map[string]int{}, whole: map[int]bool{}}
	for i := range specs {
		if other, taken := v.index[specs[i].Tag]; taken {
			return v.fault(i, "tag", "it is that of the outbound before, %s; give it another", &specs[other])
		}
		v.index[specs[i].Tag] = i
	}
	for i := range specs {
		for _, check := range []func(i int, s *Spec) error{v.tag, v.path, v.server, v.fallback, v.group} {
			if err := check(i, &specs[i]); err != nil {
				return err
			}
		}
	}
	for i := range specs {
		if err := v.circle(i, nil); err != nil {
			return err
		}
	}
	return nil
}

// validation looks at specs that lead to each other.
type validation struct {
	specs []Spec
	index map[string]int // by tag
	whole map[int]bool   // those that do not lead back to themselves
}

func (v *validation) fault(i int, key, format string, args ...any) error {
	return &Fault{Index: i, Tag: v.specs[i].Tag, Key: key, Err: fmt.Errorf(format, args...)}
}

func (v *validation) tag(i int, s *Spec) error {
	switch s.Tag {
	case "":
		return v.fault(i, "tag", "empty: want a name, by which rules and others call it")
	case route.Reset, route.Drop:
		return v.fault(i, "tag", "%q is what rules that reject lead to: give it another", s.Tag)
	}
	return nil
}

// path finds fault with how its sockets shall leave.
func (v *validation) path(i int, s *Spec) error {
	path := s.PathFrom(upstream.Path{})
	dials := s.Kind == Direct || s.Kind.HasServer()
	switch {
	case !dials && (s.Source.Kind != 0 || s.Mark != 0 || s.Device != "" || s.ConnectTimeout != 0):
		return v.fault(i, "", "%s outbounds dial nothing themselves: leave source, mark, bind_interface and connect_timeout out%s", s.Kind, ofMembers(s))
	case s.Kind.HasServer() && s.Source.OfClients():
		return v.fault(i, "source", "%s: a server answers who asks it, and knows its users by their address: name an address of the gateway, or leave it out", s.Source)
	case s.ConnectTimeout < 0:
		return v.fault(i, "connect_timeout", "%v: must be more than 0", s.ConnectTimeout)
	}
	if err := path.Validate(); err != nil {
		return v.fault(i, "bind_interface", "%w", err)
	}
	return nil
}

func ofMembers(s *Spec) string {
	if s.Kind == Group {
		return ", or put them into its members"
	}
	return ""
}

// server finds fault with whom it speaks to.
func (v *validation) server(i int, s *Spec) error {
	some := s.Server.Host != "" || s.Server.Port != 0 || s.User != "" || s.Password != "" || s.PasswordFile != "" || s.PasswordEnv != ""
	ways := 0
	for _, given := range []bool{s.Password != "", s.PasswordFile != "", s.PasswordEnv != ""} {
		if given {
			ways++
		}
	}
	switch {
	case !s.Kind.HasServer() && some:
		return v.fault(i, "server", "only socks and http outbounds have one")
	case !s.Kind.HasServer():
		return nil
	case s.Server.Host == "":
		return v.fault(i, "server", "none: want the address or the name of the proxy, as 192.0.2.7 or proxy.example")
	case s.Server.Port == 0:
		return v.fault(i, "server_port", "none: want a port from 1 to 65535, as 1080")
	case ways > 1:
		return v.fault(i, "password", "it comes twice: name password or password_file")
	case ways > 0 && s.User == "":
		return v.fault(i, "username", "none, but there is a password: name both")
	}
	if _, err := greet.New(protocols[s.Kind], s.User, string(s.Password)); err != nil {
		return v.fault(i, "", "%w", err)
	}
	return nil
}

// fallback finds fault with what takes its place.
func (v *validation) fallback(i int, s *Spec) error {
	if s.Fallback == "" {
		return nil
	}
	to, known := v.index[s.Fallback]
	switch {
	case !s.Kind.HasServer() && s.Kind != Group:
		return v.fault(i, "fallback", "%s outbounds have no server that could be out of reach: leave it out", s.Kind)
	case !known:
		return v.fault(i, "fallback", "%w", v.unknown(s.Fallback))
	case s.Fallback == s.Tag:
		return v.fault(i, "fallback", "it names itself; name another, or leave it out")
	case v.specs[to].Kind == Forward:
		return v.fault(i, "fallback", "%q is a forward outbound, to which the kernel gives what never comes here: name a direct one", s.Fallback)
	}
	return nil
}

// unknown says which tags there are.
func (v *validation) unknown(tag string) error {
	var tags []string
	for i := range v.specs {
		tags = append(tags, v.specs[i].Tag)
	}
	return fmt.Errorf("no outbound has the tag %q; there are %s", tag, strings.Join(tags, ", "))
}

// leastInterval bounds how often members are tested.
const leastInterval = time.Second

// group finds fault with members and their test.
func (v *validation) group(i int, s *Spec) error {
	switch {
	case s.Kind != Group && (len(s.Members) > 0 || s.Test != "" || s.Interval != 0 || s.Tolerance != 0):
		return v.fault(i, "", "only urltest outbounds have members and a test")
	case s.Kind != Group:
		return nil
	case len(s.Members) == 0:
		return v.fault(i, "outbounds", "none: want the tags of those of which it takes the fastest")
	case s.Interval < leastInterval:
		return v.fault(i, "interval", "%v: must be %v or more", s.Interval, leastInterval)
	case s.Tolerance < 0:
		return v.fault(i, "tolerance", "%v: must not be negative", s.Tolerance)
	}
	if _, err := ParseTest(s.Test); err != nil {
		return v.fault(i, "url", "%w", err)
	}
	for j, tag := range s.Members {
		key := fmt.Sprintf("outbounds[%d]", j)
		to, known := v.index[tag]
		switch {
		case !known:
			return v.fault(i, key, "%w", v.unknown(tag))
		case slices.Contains(s.Members[:j], tag):
			return v.fault(i, key, "%q comes twice", tag)
		case v.specs[to].Kind == Block || v.specs[to].Kind == Forward:
			return v.fault(i, key, "%q is a %s outbound, which cannot be tested: want direct, socks, http or urltest ones", tag, v.specs[to].Kind)
		}
	}
	return nil
}

var errCircle = errors.New("it leads back to itself")

// circle finds an outbound that leads back to itself, by fallbacks and members.
// before are the tags that led to it.
func (v *validation) circle(i int, before []string) error {
	s := &v.specs[i]
	if v.whole[i] {
		return nil
	}
	if slices.Contains(before, s.Tag) {
		return v.fault(i, "", "%w: %s; name others", errCircle, strings.Join(append(before, s.Tag), " -> "))
	}
	before = append(slices.Clip(before), s.Tag)
	for _, tag := range append(slices.Clip(s.Members), s.Fallback) {
		if to, known := v.index[tag]; known {
			if err := v.circle(to, before); err != nil {
				return err
			}
		}
	}
	v.whole[i] = true
	return nil
}
