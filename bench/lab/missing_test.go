package lab

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWhatIsMissingIsNamed(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{MissingProgram("nft").Error(), "nft is not installed; on Debian and Ubuntu: apt-get install nftables"},
		{MissingProgram("wrk").Error(), "apt-get install wrk"},
		{KernelParts("-A PREROUTING -p tcp -j TPROXY --on-port 1"), "modprobe -a xt_TPROXY (Debian's linux-image packages have them; other kernels need CONFIG_NETFILTER_XT_TARGET_TPROXY)"},
		{KernelParts("tcp flags x socket transparent 1 accept; meta mark set 1 tproxy to :1"), "modprobe -a nft_tproxy nft_socket"},
		{KernelParts("meta l4proto tcp redirect to :1"), "CONFIG_NFT_REDIR"},
		{sysctlComesWith("net/netfilter/nf_conntrack_udp_timeout", os.ErrNotExist), "modprobe nf_conntrack"},
		{sysctlComesWith("net/ipv6/conf/all/forwarding", os.ErrNotExist), "IPv6"},
		{linkComesWith("veth", unix.EOPNOTSUPP), "modprobe veth"},
	} {
		if !strings.Contains(c.got, c.want) {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	for _, nothing := range []string{KernelParts("-N DIVERT"), sysctlComesWith("net/ipv6/x", errors.New("else")), linkComesWith("veth", unix.EEXIST), sysctlComesWith("net/core/x", os.ErrNotExist)} {
		if nothing != "" {
			t.Errorf("%q where nothing is known", nothing)
		}
	}
}
