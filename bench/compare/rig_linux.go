package compare

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// rig is the labs with everything that runs in them. close ends it all.
type rig struct {
	labs       []*lab.Lab // the first is of all transparent proxies, each other one of one peer
	dir        string     // of configurations
	program    string     // sluice-bench
	peers      []*peer
	servers    []*process
	congestion string // that all labs have; empty: not all the same
}

// peer is a recipe in its seat, running if it could be started.
type peer struct {
	recipe
	seat
	lab  *lab.Lab
	proc *process // nil for direct
}

// at is where clients find the server behind the peer, by a port of its block.
func (p *peer) at(port uint16) netip.AddrPort {
	if p.front {
		return netip.AddrPortFrom(netip.MustParseAddr(lab.GatewayLAN4), p.listen()+port)
	}
	if p.relayed {
		port += portRelay
	}
	return netip.AddrPortFrom(netip.MustParseAddr(serverAddress), p.dest()+port)
}

// newRig makes the lab and starts the servers and the peers. A peer that cannot be
// started is left out, with the reason; a sluice that cannot is an error.
func newRig(ctx context.Context, o Options) (*rig, error) {
	if err := raiseFileLimit(); err != nil {
		return nil, err
	}
	r := &rig{program: o.Program}
	if err := r.build(ctx, o); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *rig) build(ctx context.Context, o Options) (err error) {
	if r.dir, err = os.MkdirTemp("", "sluice-compare-"); err != nil {
		return err
	}
	r.seatPeers(o)
	if err = r.makeLabs(o.Congestion[0]); err != nil {
		return err
	}
	if err = r.divert(ctx); err != nil {
		return err
	}
	if err = r.serve(ctx); err != nil {
		return err
	}
	for _, p := range r.peers {
		if err = p.launch(ctx); err == nil {
			continue
		}
		if p.Kind == "sluice" && p.Role == "" || ctx.Err() != nil {
			return err
		}
		p.LeftOut = err.Error() + p.moduleHint()
	}
	return nil
}

// makeLabs makes a lab for all transparent proxies, and one for each other peer. The
// checks and all but some works have one congestion control.
func (r *rig) makeLabs(congestion string) error {
	r.congestion = congestion
	for _, p := range r.peers {
		if p.Role == "" && len(r.labs) > 0 {
			p.lab = r.labs[0]
			continue
		}
		l, err := lab.New(lab.Options{Congestion: congestion})
		if err != nil {
			return err
		}
		p.lab, r.labs = l, append(r.labs, l)
	}
	return nil
}

// seatPeers gives every peer that is wanted a seat, transparent proxies first.
func (r *rig) seatPeers(o Options) {
	limit := fileLimit()
	take := func(make func(seat) recipe) {
		s := seat{index: len(r.peers), dir: r.dir, fileLimit: limit}
		p := &peer{recipe: make(s), seat: s}
		if p.program != "" {
			path, err := find(p.program, o.PeerDirs)
			if err != nil {
				p.LeftOut = err.Error()
			}
			p.program = path
		}
		if p.conns == 0 {
			p.conns = int(limit)/2 - spareFiles
		}
		if p.series == "" {
			p.series = p.Name
		}
		r.peers = append(r.peers, p)
	}
	roles := o.roles()
	if roles[""] {
		for _, v := range o.Variants {
			take(func(s seat) recipe { return sluice(v, o.Sluice, s) })
		}
		for _, kind := range o.Kinds {
			take(func(s seat) recipe { return recipeOf(kind, s) })
		}
	}
	for _, v := range o.reactorVariants() {
		take(func(s seat) recipe {
			p := sluice(v.Variant, o.Sluice, s)
			p.only, p.x, p.series = SweepReactors, float64(v.reactors), v.of
			return p
		})
	}
	for _, role := range []Role{Reverse, Source, Socks, Kernel} {
		for _, make := range o.inRole(role) {
			if roles[role] {
				take(make)
			}
		}
	}
}

// find looks for a program in PATH and then in the folders.
func find(program string, dirs []string) (string, error) {
	path, err := exec.LookPath(program)
	if strings.Contains(program, "/") {
		if err != nil {
			return "", err
		}
		return filepath.Abs(path)
	}
	for _, dir := range dirs {
		if err == nil {
			break
		}
		path, err = exec.LookPath(filepath.Join(dir, program))
	}
	if err != nil {
		return "", fmt.Errorf("%s is not installed; %s", program, origin(program))
	}
	return filepath.Abs(path)
}

// divert sets the gateways up.
func (r *rig) divert(ctx context.Context) error {
	for _, p := range r.peers {
		if p.Role == "" {
			continue
		}
		if err := p.divert(ctx); err != nil {
			return err
		}
	}
	return r.divertProxies(ctx)
}

// routeMarked has a gateway deliver marked packets locally.
func routeMarked(ctx context.Context, gw *lab.Namespace) error {
	for _, args := range []string{
		fmt.Sprintf("rule add fwmark %d/%d lookup %d", lab.DivertMark, lab.DivertMark, lab.DivertTable),
		fmt.Sprintf("route add local default dev lo table %d", lab.DivertTable),
	} {
		if err := gw.Run(ctx, "ip", strings.Fields(args)...); err != nil {
			return err
		}
	}
	return nil
}

// shortConntrack cuts the time that a UDP session's entry outlives the session.
func shortConntrack(gw *lab.Namespace) error {
	for _, key := range []string{"nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"} {
		if err := gw.Sysctl("net/netfilter/"+key, fmt.Sprint(2*udpTimeoutSeconds)); err != nil {
			return err
		}
	}
	return nil
}

// divertProxies sets up the gateway of all transparent proxies: policy routing for
// marked packets, and the rules. nginx' UDP sessions each leave an entry behind in
// the gateway's conntrack.
func (r *rig) divertProxies(ctx context.Context) error {
	var all []recipe
	var seats []seat
	conntrack := false
	for _, p := range r.peers {
		if p.Role != "" {
			continue
		}
		rec := p.recipe
		if p.LeftOut != "" {
			rec.Way = Forward
		}
		all, seats = append(all, rec), append(seats, p.seat)
		conntrack = conntrack || rec.Way == Redirect
	}
	if len(all) == 0 {
		return nil
	}
	gw := r.labs[0].Gateway
	if err := routeMarked(ctx, gw); err != nil {
		return err
	}
	if err := setRules(ctx, gw, filepath.Join(r.dir, "rules.nft"), divertRules(all, seats)); err != nil {
		return err
	}
	if conntrack {
		return shortConntrack(gw)
	}
	return nil
}

// setRules loads rules by way of a file.
func setRules(ctx context.Context, gw *lab.Namespace, file, text string) error {
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return err
	}
	if err := gw.Run(ctx, "nft", "-f", file); err != nil {
		return fmt.Errorf("%w%s", err, lab.KernelParts(text))
	}
	return nil
}

// launch writes the peer's files and starts it.
func (p *peer) launch(ctx context.Context) (err error) {
	if p.LeftOut != "" {
		return errors.New(p.LeftOut)
	}
	if p.program == "" {
		return nil
	}
	for name, text := range p.files {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	p.Version = version(ctx, p.program, p.recipe.version)
	p.Command = append([]string{filepath.Base(p.program)}, p.args...)
	if p.proc, err = start(p.lab.Gateway, p.Name, p.program, p.args...); err != nil {
		return err
	}
	tcp := []uint16{p.listen()}
	if p.perPort {
		tcp = []uint16{p.listen(), p.listen() + portsUsed - 1}
	}
	var udp []uint16
	if p.udp {
		udp = tcp
	}
	return p.proc.listens(ctx, tcp, udp)
}

func (r *rig) close() error {
	var errs []error
	for _, p := range r.peers {
		errs = append(errs, p.proc.stop())
	}
	for _, s := range r.servers {
		errs = append(errs, s.stop())
	}
	for _, l := range r.labs {
		errs = append(errs, l.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(r.dir))...)
}

// raiseFileLimit lifts the soft limit of open files to the hard one, for this
// process and, since it is set by hand, for those that it starts.
func raiseFileLimit() error {
	limit := fileLimit()
	err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: limit})
	return os.NewSyscallError("setrlimit", err)
}

// fileLimit is the hard limit of open files.
func fileLimit() uint64 {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 1024
	}
	return min(l.Max, 1<<20)
}
