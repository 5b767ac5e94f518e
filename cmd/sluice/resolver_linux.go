package main

import (
	"os"
	"path/filepath"
	"slices"

	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/resolve"
)

// resolvConf names the DNS servers (resolv.conf(5)).
const resolvConf = "/etc/resolv.conf"

// resolverFiles are what names are resolved by while sluice runs. Where resolv.conf
// is a link, as systemd-resolved's, its own directory is among them, in which it
// is replaced as a whole. Where it is a plain file, that directory is /etc, which
// is left to those whom permissions keep from its secrets; root rereads this one
// file, unless it is replaced.
func (cmd *runCmd) resolverFiles() []string {
	files := []string{"/etc/hosts", "/etc/nsswitch.conf", resolvConf}
	if !slices.ContainsFunc(cmd.inbounds(), leadsToName) && !slices.ContainsFunc(cmd.outbounds(), needsName) &&
		(cmd.IPFIX.Host == "" || !cmd.IPFIX.IsName()) {
		return files
	}
	target, err := filepath.EvalSymlinks(resolvConf)
	if dir := filepath.Dir(target); err == nil && dir != "/etc" {
		return append(files, dir)
	}
	if cmd.User != "" || os.Geteuid() != 0 {
		return append(files, "/etc")
	}
	return files
}

func leadsToName(in inbound.Spec) bool { return in.Kind == inbound.Direct && in.Dest.IsName() }

// needsName tells whether an outbound has names looked up: of its server, or of what
// its members are asked.
func needsName(o outbound.Spec) bool {
	return o.Kind == outbound.Group || slices.ContainsFunc(o.Targets(), resolve.Target.IsName)
}
