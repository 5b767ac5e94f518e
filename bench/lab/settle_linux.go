package lab

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"
)

// settleLimit bounds the wait for the kernel's workqueue.
const settleLimit = 5 * time.Second

// settle waits until the kernel takes the IPv6 addresses for its own: it adds
// their local routes from a workqueue (addrconf_dad_work), also without
// duplicate address detection, and loses what comes before.
func (l *Lab) settle() error {
	for ns, addrs := range map[*Namespace][]string{
		l.Client: {Client6}, l.Gateway: {GatewayLAN6, GatewayWAN6}, l.Server: {Server6},
	} {
		if err := ns.Do(func() error { return untilLocal(addrs) }); err != nil {
			return fmt.Errorf("%s: %w", ns.Name, err)
		}
	}
	return nil
}

func untilLocal(addrs []string) error {
	deadline := time.Now().Add(settleLimit)
	for {
		routes, err := os.ReadFile("/proc/thread-self/net/ipv6_route")
		if err != nil {
			return err
		}
		missing := missingRoute(string(routes), addrs)
		if missing == "" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not usable after %v", missing, settleLimit)
		}
		time.Sleep(time.Millisecond)
	}
}

// missingRoute returns the first address without a host route (a prefix of
// 0x80 bits, proc_pid_net(5)).
func missingRoute(routes string, addrs []string) string {
	for _, addr := range addrs {
		if !strings.Contains(routes, hex.EncodeToString(netip.MustParseAddr(addr).AsSlice())+" 80 ") {
			return addr
		}
	}
	return ""
}
