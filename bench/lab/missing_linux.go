package lab

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// MissingProgram is the error for a program that is not installed: the program's name.
type MissingProgram string

func (p MissingProgram) Error() string {
	return fmt.Sprintf("%s is not installed; on Debian and Ubuntu: apt-get install %s", string(p), Package(string(p)))
}

// Package is where Debian and Ubuntu have a program.
func Package(program string) string {
	switch program {
	case "ip6tables":
		return "iptables"
	case "nft":
		return "nftables"
	case "ip", "ss":
		return "iproute2"
	case "nsenter", "unshare", "taskset", "prlimit":
		return "util-linux"
	case "sysctl":
		return "procps"
	}
	return program
}

// KernelParts says what of the kernel some rules of iptables or nft need, as the end of
// the error that refused them; empty where that is nothing out of the way.
func KernelParts(rules string) string {
	var modules, options []string
	for _, part := range []struct{ word, module, option string }{
		{"-j TPROXY", "xt_TPROXY", "NETFILTER_XT_TARGET_TPROXY"},
		{"-j REDIRECT", "xt_REDIRECT", "NETFILTER_XT_TARGET_REDIRECT"},
		{"-m socket", "xt_socket", "NETFILTER_XT_MATCH_SOCKET"},
		{"tproxy to ", "nft_tproxy", "NFT_TPROXY"},
		{"redirect to ", "nft_redir", "NFT_REDIR"},
		{" socket transparent ", "nft_socket", "NFT_SOCKET"},
	} {
		if strings.Contains(rules, part.word) {
			modules, options = append(modules, part.module), append(options, "CONFIG_"+part.option)
		}
	}
	if len(modules) == 0 {
		return ""
	}
	return fmt.Sprintf("; where the kernel lacks a part of it: modprobe -a %s (Debian's linux-image packages have them; other kernels need %s)",
		strings.Join(modules, " "), strings.Join(options, ", "))
}

// sysctlComesWith says what brings a sysctl that is not there, as the end of its error.
func sysctlComesWith(key string, err error) string {
	if !errors.Is(err, os.ErrNotExist) {
		return ""
	}
	for prefix, with := range map[string]string{
		"net/netfilter/nf_conntrack": "the module nf_conntrack: modprobe nf_conntrack",
		"net/bridge/":                "the module br_netfilter: modprobe br_netfilter",
		"net/ipv6/":                  "IPv6, which this kernel was started without (ipv6.disable=1?)",
	} {
		if strings.HasPrefix(key, prefix) {
			return "; it comes with " + with
		}
	}
	return ""
}

// linkComesWith says what brings a kind of link that the kernel does not know, as the end
// of its error.
func linkComesWith(module string, err error) string {
	if !errors.Is(err, unix.EOPNOTSUPP) {
		return ""
	}
	return fmt.Sprintf("; it comes with the module %[1]s: modprobe %[1]s", module)
}
