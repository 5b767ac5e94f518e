package compare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"sluice/redir/nearest"
)

// Options say what to compare and how long.
type Options struct {
	Sluice     string    // path of the sluice program
	Variants   []Variant // none: one sluice without flags
	Kinds      []string  // of the other peers; those not installed are left out
	PeerDirs   []string  // where programs are looked for beside PATH
	Base       []string  // peers that ratios refer to: in each work the first that takes part
	Works      []string  // keys; empty: all, unless Sweeps are given
	Sweeps     []string  // names
	Congestion []string  // congestion controls: of all works the first, of bulk streams each; none: Congestions
	Rounds     int
	Duration   time.Duration // of one load
	Budget     time.Duration // rounds are left out rather than exceed it; 0: none
	Program    string        // sluice-bench itself, for `serve`
	Progress   io.Writer     // says what is done, line by line
}

// ErrIncomplete is returned beside a Result that an interrupt cut short.
var ErrIncomplete = errors.New("interrupted: the comparison is incomplete")

// Run compares. It makes the lab, starts everything, and takes all of it down
// again, also when ctx ends early; then the result holds the works that were done.
func Run(ctx context.Context, o Options) (res *Result, err error) {
	works, err := o.works()
	if err != nil {
		return nil, err
	}
	if list := missing(works); len(list) > 0 {
		return nil, fmt.Errorf("not installed: %s; --install does it, or: apt-get install %s",
			strings.Join(list, ", "), strings.Join(debianPackages(list), " "))
	}
	if o.Congestion, err = Congestions(o.Congestion); err != nil {
		return nil, err
	}
	works = withCongestion(works, o.Congestion)
	begin := time.Now()
	if len(o.Variants) == 0 {
		o.Variants = []Variant{{Name: "sluice"}}
	}
	if err := errors.Join(o.checkNames(), o.checkSluices()); err != nil {
		return nil, err
	}
	r, err := newRig(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	res = &Result{Schema: Schema, Start: begin, Machine: thisMachine(), Base: o.Base, Congestion: o.Congestion, Rounds: o.Rounds, RoundSeconds: o.Duration.Seconds()}
	for _, p := range r.peers {
		switch {
		case p.LeftOut != "":
			fmt.Fprintf(o.Progress, "left out: %s: %s\n", p.Name, p.LeftOut)
		case p.only == "": // a sweep's variants are no other programs
			fmt.Fprintf(o.Progress, "checking %s\n", p.Name)
			p.Checks = p.check()
		}
		res.Peers = append(res.Peers, p.Peer)
	}
	for i, w := range works {
		var deadline time.Time
		if o.Budget > 0 {
			deadline = begin.Add(o.Budget * time.Duration(i+1) / time.Duration(len(works)))
		}
		row, err := r.work(ctx, w, o, deadline)
		if err != nil {
			break // ctx ended
		}
		res.Works = append(res.Works, row)
	}
	res.Seconds = time.Since(begin).Seconds()
	res.Settle()
	if ctx.Err() != nil {
		err = ErrIncomplete
	}
	return res, err
}

// checkNames refuses two peers of one name, which no table or ratio could tell apart,
// and a base that nobody bears.
func (o Options) checkNames() error {
	names := slices.Clone(o.Kinds)
	for _, v := range o.Variants {
		names = append(names, v.Name)
	}
	slices.Sort(names)
	for i := range len(names) - 1 {
		if names[i] == names[i+1] {
			return fmt.Errorf("two peers are named %q", names[i])
		}
	}
	for _, base := range o.Base {
		if !slices.Contains(names, base) && !slices.Contains(Kinds(), base) {
			return fmt.Errorf("base %q: no such peer; the nearest is %q", base, nearest.Word(base, append(names, Kinds()...)))
		}
	}
	return nil
}

// checkSluices looks for the program of each variant before anything is made.
func (o Options) checkSluices() error {
	var errs []error
	said := map[string]bool{}
	for _, v := range o.Variants {
		path := cmp.Or(v.Program, o.Sluice)
		if _, err := exec.LookPath(path); err != nil && !said[path] {
			said[path] = true
			errs = append(errs, fmt.Errorf("sluice program: %w; build it with: go build -o bin/ ./cmd/...", err))
		}
	}
	return errors.Join(errs...)
}

// works are those that the options name, in the order of Works.
func (o Options) works() ([]Work, error) {
	known := Works()
	for _, key := range o.Works {
		if !slices.ContainsFunc(known, func(w Work) bool { return w.Key == key }) {
			return nil, fmt.Errorf("no such work: %q; the nearest is %q", key, nearest.Word(key, Keys()))
		}
	}
	list := slices.DeleteFunc(known, func(w Work) bool {
		return len(o.Works)+len(o.Sweeps) > 0 && !slices.Contains(o.Works, w.Key)
	})
	for _, sweep := range o.Sweeps {
		points := sweepWorks(sweep, runtime.NumCPU(), int(fileLimit()))
		if len(points) == 0 {
			return nil, fmt.Errorf("no such sweep: %q; the nearest is %q", sweep, nearest.Word(sweep, Sweeps()))
		}
		list = append(list, points...)
	}
	return list, nil
}

// reactorVariant is a sluice for the sweep over reactors.
type reactorVariant struct {
	Variant
	of       string // name of the variant that it comes from
	reactors int
}

func (o Options) reactorVariants() []reactorVariant {
	if !slices.Contains(o.Sweeps, SweepReactors) {
		return nil
	}
	var all []reactorVariant
	for _, v := range o.Variants {
		for n := 1; n <= runtime.NumCPU(); n++ {
			named := Variant{Name: fmt.Sprintf("%s --reactors=%d", v.Name, n), Program: v.Program,
				Flags: append(slices.Clone(v.Flags), fmt.Sprintf("--reactors=%d", n))}
			all = append(all, reactorVariant{named, v.Name, n})
		}
	}
	return all
}

// work takes all rounds of one work; in each the order of the peers shifts by one.
// It fails only when ctx has ended.
func (r *rig) work(ctx context.Context, w Work, o Options, deadline time.Time) (WorkResult, error) {
	res := WorkResult{Work: w}
	var peers []*peer
	for _, p := range r.peers {
		switch {
		case !p.does(w):
		case !p.holds(w):
			out := LeftOut{p.Name, fmt.Sprintf("holds %d of %d connections at this limit of open files", p.conns, w.flows)}
			fmt.Fprintf(o.Progress, "%s  left out: %s: %s\n", w.name(), out.Peer, out.Why)
			res.LeftOut = append(res.LeftOut, out)
		default:
			peers = append(peers, p)
			res.Rows = append(res.Rows, Row{Peer: p.series})
		}
	}
	for round := range o.Rounds {
		if round > 0 && !deadline.IsZero() && time.Now().After(deadline) {
			break
		}
		for i := range peers {
			n := (i + round) % len(peers)
			s, err := r.measure(ctx, w, peers[n], o.Duration)
			if ctx.Err() != nil {
				return res, ctx.Err()
			}
			if err != nil {
				s.Fault = err.Error()
			}
			if len(s.Values) == 0 {
				s.Fault += r.revive(ctx, peers[n])
			}
			s.Round = round
			res.Rows[n].Samples = append(res.Rows[n].Samples, s)
			fmt.Fprintf(o.Progress, "%s  round %d of %d  %s\n", w.name(), round+1, o.Rounds, w.describe(peers[n].series, s))
		}
	}
	return res, nil
}

// revive starts a peer anew that let nothing through, so that it does not spoil what
// follows; it returns what to add to the fault.
func (r *rig) revive(ctx context.Context, p *peer) string {
	if p.proc == nil {
		return ""
	}
	if err := errors.Join(p.proc.stop(), p.launch(ctx)); err != nil {
		return "; not started again: " + err.Error()
	}
	return "; started again"
}

// does tells whether a peer takes part in a work.
func (p *peer) does(w Work) bool {
	switch {
	case p.LeftOut != "" || p.Role != w.Role || w.Transport == "udp" && !p.udp:
		return false
	case w.Sweep == SweepReactors:
		return p.only == w.Sweep && p.x == w.X
	}
	return p.only == ""
}

// holds tells whether a peer can have as many connections as a work wants.
func (p *peer) holds(w Work) bool { return w.Transport != "tcp" || w.flows <= p.conns }
