package main

import (
	"io"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStarvation feeds sums: seconds, diverted, delivered.
func TestStarvation(t *testing.T) {
	type look struct {
		at                  int
		diverted, delivered uint64
		warns               bool
	}
	for name, looks := range map[string][]look{
		"nothing":       {{0, 0, 0, false}, {60, 0, 0, false}},
		"before it ran": {{0, 500, 0, false}, {60, 500, 0, false}},
		"all arrives":   {{0, 0, 0, false}, {2, 9, 9, false}, {4, 18, 12, false}, {60, 30, 13, false}},
		"too few":       {{0, 0, 0, false}, {2, 2, 0, false}, {60, 2, 0, false}},
		"under way":     {{0, 0, 0, false}, {2, 9, 0, false}, {4, 9, 9, false}, {60, 9, 9, false}},
		"a burst":       {{0, 0, 0, false}, {2, 4, 0, false}, {4, 4, 0, false}, {6, 8, 0, true}},
		"a short burst": {{0, 0, 0, false}, {2, 4, 0, false}, {4, 4, 0, false}, {6, 4, 0, true}},
		"once, then again": {{0, 0, 0, false}, {2, 4, 0, false}, {6, 9, 0, true}, {8, 19, 0, false}, {60, 99, 0, false},
			{62, 99, 5, false}, {64, 105, 5, false}, {68, 109, 5, true}},
		"rules anew": {{0, 100, 0, false}, {2, 3, 0, false}, {4, 4, 0, false}, {60, 5, 0, false}, {62, 6, 0, true}},
	} {
		s := starvation{least: 3, patience: 3 * time.Second}
		for _, l := range looks {
			if got := s.starves(time.Unix(int64(l.at), 0), l.diverted, l.delivered); got != l.warns {
				t.Errorf("%s: after %d s %v, want %v", name, l.at, got, l.warns)
			}
		}
	}
}

// TestStarvingRun: connections from another namespace are rejected by an input
// chain. sluice says so, names the rule, and its remedy lets them in.
func TestStarvingRun(t *testing.T) {
	program := buildProgram(t)
	r := startRun(t, program, "--tproxy", ":12345", "--install-rules", "--iface", "lan0")
	go io.Copy(io.Discard, r.bus) // a full socket would hold sluice up
	client := exec.Command("sh", "-c", "ip link set lo up; exec sleep 600")
	client.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Process.Kill(); client.Wait() })
	pid := strconv.Itoa(client.Process.Pid)
	r.inside("sh", "-ec", `ip link add lan0 type veth peer name e0; ip link set e0 netns `+pid+`
		ip addr add 192.0.2.1/24 dev lan0; ip link set lan0 up
		nft add table inet fw; nft add chain inet fw in '{ type filter hook input priority 0; }'
		nft add rule inet fw in meta l4proto tcp reject with tcp reset`)
	inClient := func(script string) error {
		return exec.Command("nsenter", "--net", "--target", pid, "bash", "-ec", script).Run()
	}
	if err := inClient("ip addr add 192.0.2.2/24 dev e0; ip link set e0 up; ip route add default via 192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	const connect = "timeout 2 bash -c 'exec 3<>/dev/tcp/198.51.100.1/80'"
	for range 5 {
		if inClient(connect) == nil {
			t.Fatal("a connection passes a chain that rejects it")
		}
	}
	line := r.logged("packets are diverted and do not arrive: a rule of others stops them")
	if likely, _ := line["likely"].(string); !strings.Contains(likely, "chain inet fw in rejects TCP of lan0 over IPv4: rule") {
		t.Errorf("likely: %v", line)
	}
	r.inside("sh", "-ec", line["remedy"].(string))
	eventually(t, "the remedy lets connections in", func() bool { return inClient(connect) == nil })
}
