package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// alone runs a shell script in a network namespace of its own, in which sluice
// is the program.
func alone(t *testing.T, program, script string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	cmd := exec.Command("sh", "-ec", "ip link set lo up; sluice() { "+program+` "$@"; }; `+script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// TestRulesNotices: what an operator has to know is said, with commands that
// lose no flag.
func TestRulesNotices(t *testing.T) {
	program := buildProgram(t)
	const link = "ip link add lan type veth peer name nal; ip addr add 192.0.2.1/24 dev lan; ip link set lan up; sysctl -qw net.ipv4.ip_forward=0; "
	for script, says := range map[string][]string{
		"sluice rules install --port 12345 --iface lan": {
			"nobody listens on TCP port 12345 and UDP port 12345: until sluice does, what the rules divert is dropped (--fail closed): start it with sluice run --tproxy :12345\n",
			"net.ipv4.ip_forward=1  # what is not diverted is forwarded; to stay: echo net.ipv4.ip_forward=1 >> /etc/sysctl.d/90-sluice.conf"},
		"sluice rules install --port 7 --proto tcp --mark 4 --fail open": {
			"nobody listens on TCP port 7: until sluice does, what the rules divert is forwarded without it (--fail open): start it with sluice run --tproxy :7 --tproxy-network tcp --mark 4\n"},
		"sluice rules install --port 8 --via redirect": {"is refused: start it with sluice run --redirect :8\n"},
		"sluice rules print --port 12345 --format iptables >s; sh s; sluice rules install --port 12345; rm s": {
			"diverts to sluice as well, so twice: iptables -t mangle chain SLUICE_TARGET: tproxy to port 12345"},
		"ip route add throw 10.0.0.0/8 table 100; sluice rules install --port 1; sluice rules status; sluice rules remove": {
			"routing table 100 is used by others (ip route show table 100; ip rule): table 101 serves instead",
			"routing: fwmark 0x1/0x1 lookup 101 priority 90"},
		"ip rule add fwmark 1/1 lookup 100; sluice rules install --port 1; sluice rules remove": {
			"left: ip rule 32765: from all fwmark 0x1/0x1 lookup 100 (protocol "},
		"sluice rules print --port 1 --iface lan --rule-priority 77 --undo": {
			"nft delete table inet sluice\nip rule del fwmark 0x1/0x1 iif lo lookup main priority 76 protocol 115\nip rule del fwmark 0x1/0x1 lookup 100 priority 77 protocol 115\n"},
		"sluice rules print --port 1 --rule-priority 0 2>&1 || true": {"rule priority 0: the rule must stand after"},
		"sluice rules print --port 1 --format nft":                   {"# to undo it: sluice rules remove, or\n#   table inet sluice\n#   delete table inet sluice\n"},
		"sluice rules status 2>&1 && false || test $? = 1; iptables -t nat -A PREROUTING -p tcp -j REDIRECT --to-ports 99; sluice rules status || true": {
			"not installed\nnot sluice's, delivers too: iptables -t nat chain PREROUTING: redirect to port 99"},
	} {
		out := alone(t, program, "cd "+t.TempDir()+"; "+link+script)
		for _, want := range says {
			if !strings.Contains(out, want) {
				t.Errorf("%s: says not %q but\n%s", script, want, out)
			}
		}
	}
}

// TestListenersAreHeard: rules for ports on which somebody listens make no ado.
func TestListenersAreHeard(t *testing.T) {
	r := startRun(t, buildProgram(t), "--tproxy", ":12345", "--iface", "lan0", "--fail", "open", "--exclude", "10.0.0.0/8", "--fwmark", "0x1/0x1")
	r.told("READY=1")
	idle := r.logged("these say what to divert, and do nothing without --install-rules")["flags"].([]any)
	if len(idle) != 3 || idle[0] != "--fail" || idle[1] != "--iface" || idle[2] != "--exclude" {
		t.Errorf("idle flags: %v", idle)
	}
	if out := r.inside(r.cmd.Path, "-ec", r.cmd.Args[4]+" rules install --port 12345 2>&1"); strings.Contains(out, "nobody listens") {
		t.Errorf("said %s", out)
	}
	if out := r.inside(r.cmd.Path, "-ec", r.cmd.Args[4]+" rules install --port 12346 2>&1"); !strings.Contains(out, "nobody listens") {
		t.Errorf("said %s", out)
	}
	r.inside(r.cmd.Path, "-ec", r.cmd.Args[4]+" rules remove")
	r.stop()
}
