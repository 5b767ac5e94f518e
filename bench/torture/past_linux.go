package torture

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"sluice/bench/lab"
)

// countPast counts, in the server, the packets that came past sluice: from a client's
// own address.
func (s *stage) countPast(ctx context.Context) error {
	rules := fmt.Sprintf(`table inet past {
 chain pre {
  type filter hook prerouting priority raw
  meta l4proto { tcp, udp } ip saddr { 10.77.1.0/24, %s } counter
  meta l4proto { tcp, udp } ip6 saddr { fd77:1::/64, %s } counter
 }
}`, lab.ClientNet4, lab.ClientNet6)
	return s.nft(ctx, s.Server, rules)
}

// past is how many packets came past so far.
func (s *stage) past(ctx context.Context) (float64, error) {
	out, err := s.Server.Command(ctx, "nft", "list", "table", "inet", "past").Output()
	if err != nil {
		return 0, fmt.Errorf("nft list table inet past: %w", err)
	}
	sum := 0.0
	for _, m := range regexp.MustCompile(`packets (\d+)`).FindAllStringSubmatch(string(out), -1) {
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// nft hands rules to nft in a namespace.
func (s *stage) nft(ctx context.Context, ns *lab.Namespace, rules string) error {
	cmd := ns.Command(ctx, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, out)
	}
	return nil
}

// tables are the tables of the gateway's ruleset, as "inet sluice".
func (s *stage) tables(ctx context.Context) []string {
	out, _ := s.Gateway.Command(ctx, "nft", "list", "tables").Output()
	var names []string
	for line := range strings.Lines(string(out)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "table "); ok {
			names = append(names, name)
		}
	}
	return names
}
