package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"

	"sluice/cmd/sluice/control"
	"sluice/redir/outbound"
	"sluice/redir/route"
)

// outbounds are those of the file, and that of --upstream, which takes the place of one
// of its tag.
func (cmd *runCmd) outbounds() (all []outbound.Spec) {
	if cmd.file != nil {
		all = slices.Clone(cmd.file.Outbounds)
	}
	if !cmd.Upstream.given {
		return all
	}
	upstream := cmd.Upstream.spec
	upstream.PasswordFile = cmd.UpstreamPasswordFile
	all = slices.DeleteFunc(all, func(o outbound.Spec) bool { return o.Tag == upstreamTag })
	return append(all, upstream)
}

// directTag is the tag of the outbound that --direct takes, the file's or else the one
// that its rules imply.
const directTag = "direct"

// route is that of the file, with what flags say before, the longest network first;
// --upstream is for what no rule is for.
func (cmd *runCmd) route() (r route.Spec) {
	if cmd.file != nil {
		r = cmd.file.Route
	}
	var before []route.Rule
	add := func(flag, tag string, n network) {
		before = append(before, route.Rule{Outbound: tag, From: flag + " " + n.String(),
			Conditions: route.Conditions{Prefixes: []netip.Prefix{n.Prefix}}})
	}
	for _, n := range cmd.Block {
		add("--block", route.Reset, n)
	}
	for _, n := range cmd.Direct {
		add("--direct", directTag, n)
	}
	slices.SortStableFunc(before, func(a, b route.Rule) int { return cmp.Compare(b.Prefixes[0].Bits(), a.Prefixes[0].Bits()) })
	if cmd.Upstream.given {
		r.Final = upstreamTag
	}
	return r.Before(before...)
}

var errPasswordForWhom = errors.New("--upstream-password-file: there is no --upstream whose password it could be: name one, as socks5://USER@HOST")

// validateRoutes finds fault with the flags of routes.
func (cmd *runCmd) validateRoutes() error {
	switch {
	case cmd.Upstream.err != nil:
		return fmt.Errorf("--upstream: %w", cmd.Upstream.err)
	case cmd.UpstreamPasswordFile != "" && !cmd.Upstream.given:
		return errPasswordForWhom
	case cmd.UpstreamPasswordFile != "" && cmd.Upstream.spec.Password != "":
		return errors.New("--upstream-password-file: --upstream has a password already: leave one out")
	}
	if cmd.Upstream.given {
		upstream := cmd.Upstream.spec
		upstream.PasswordFile = cmd.UpstreamPasswordFile
		var fault *outbound.Fault
		if err := outbound.Validate([]outbound.Spec{upstream}); errors.As(err, &fault) {
			return fmt.Errorf("--upstream: %s: %w", cmp.Or(fault.Key, "user and password"), fault.Err)
		}
	}
	if len(cmd.Direct) == 0 || cmd.file == nil {
		return nil
	}
	for _, o := range cmd.file.Outbounds {
		if o.Tag == directTag && o.Kind != outbound.Direct {
			return fmt.Errorf("--direct: the file's outbound %q is a %s one: give that another tag", o.Tag, o.Kind)
		}
	}
	return nil
}

// checkPasswords finds out whether the files with passwords and the token can be
// read. What the environment of a service holds, others do not know.
func (cmd *runCmd) checkPasswords() error {
	if cmd.ControlTokenFile != "" {
		if _, err := control.ReadToken(cmd.ControlTokenFile); err != nil {
			return err
		}
	}
	for _, o := range cmd.outbounds() {
		if _, err := o.ReadPassword(); o.PasswordFile != "" && err != nil {
			return fmt.Errorf("outbound %q: password: %w", o.Tag, err)
		}
	}
	return nil
}

// routeDirs are where passwords and rule sets are, which a reload reads again.
func (cmd *runCmd) routeDirs() (dirs []string) {
	for _, o := range cmd.outbounds() {
		if o.PasswordFile != "" {
			dirs = append(dirs, dirsOf(o.PasswordFile)...)
		}
	}
	for _, set := range cmd.route().Sets {
		dirs = append(dirs, dirsOf(set.Path)...)
	}
	return dirs
}

// dirsOf are the directory of a file, which may be replaced by another of its name,
// and that of what it links to.
func dirsOf(path string) []string {
	dirs := []string{filepath.Dir(path)}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		dirs = append(dirs, filepath.Dir(target))
	}
	return slices.Compact(dirs)
}
