package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// Options say what to try and how long.
type Options struct {
	Sluice string   // path of the sluice program
	Only   []string // names of figures; none: all
	Short  bool     // short sizes and targets
	// Minutes is the length of the soak; 0: half a minute of the short form, half an
	// hour of the long one.
	Minutes float64
	Out     io.Writer // a line for each figure, as it ends
}

// maxTries bounds how often the short form tries a figure.
const maxTries = 3

// beside is how many quiet figures run at once.
const beside = 3

// Run runs the figures and returns the card; also when ctx ends early, then with
// what was done. It needs what a lab needs (lab.Enter).
func Run(ctx context.Context, o Options) (*Card, error) {
	chosen, err := o.figures()
	if err != nil {
		return nil, err
	}
	if err := raiseFileLimit(); err != nil {
		return nil, err
	}
	version, err := exec.CommandContext(ctx, o.Sluice, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("sluice program: %s --version: %w; build it with: go build -o bin/ ./cmd/...", o.Sluice, err)
	}
	card := &Card{Schema: Schema, Start: time.Now(), Sluice: o.Sluice + " " + strings.TrimSpace(string(version)),
		Kernel: kernel(), CPUs: runtime.NumCPU(), Short: o.Short}
	results := runAll(ctx, o, chosen)
	for _, r := range results {
		if r != nil {
			card.Figures = append(card.Figures, *r)
		}
	}
	card.Seconds = time.Since(card.Start).Seconds()
	if err := ctx.Err(); err != nil {
		return card, fmt.Errorf("interrupted: the card is incomplete: %w", err)
	}
	return card, card.WriteEnd(o.Out)
}

// figures are those that the options name, in the card's order. Their programs must
// be there.
func (o Options) figures() ([]figure, error) {
	names, err := choose(Names(), o.Only)
	if err != nil {
		return nil, err
	}
	var chosen []figure
	var errs []error
	said := map[string]bool{}
	for _, f := range figures() {
		if len(names) == 0 || f.name != names[0] {
			continue
		}
		names = names[1:]
		chosen = append(chosen, f)
		for _, program := range append([]string{"nft", "ip"}, f.needs...) { // those of the stage first
			if _, err := exec.LookPath(program); err != nil && !said[program] {
				said[program] = true
				errs = append(errs, lab.MissingProgram(program))
			}
		}
	}
	return chosen, errors.Join(errs...)
}

// runAll runs the quiet figures beside each other, then the others in turn. A figure
// that never began has no result.
func runAll(ctx context.Context, o Options, chosen []figure) []*Result {
	results := make([]*Result, len(chosen))
	var out sync.Mutex // of lines
	one := func(i int) {
		if ctx.Err() != nil {
			return
		}
		r := runOne(ctx, o, chosen[i])
		for tries := 2; tries <= maxTries && o.Short && r.byChance() && ctx.Err() == nil; tries++ {
			r = runOne(ctx, o, chosen[i])
			r.Tries = tries
		}
		out.Lock()
		defer out.Unlock()
		results[i] = &r
		_ = r.WriteLine(o.Out) // a reader that went away ends ctx
	}
	var running sync.WaitGroup
	places := make(chan struct{}, beside)
	for i, f := range chosen {
		if !f.alone {
			running.Go(func() {
				places <- struct{}{}
				defer func() { <-places }()
				one(i)
			})
		}
	}
	running.Wait()
	for i, f := range chosen {
		if f.alone {
			one(i)
		}
	}
	return results
}

// runOne runs one figure on a stage of its own, within its time.
func runOne(ctx context.Context, o Options, f figure) Result {
	begin := time.Now()
	limit := f.limit
	if !o.Short {
		limit *= longFactor
	}
	if f.name == "soak" {
		limit += o.soakTime()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done within %v", limit))
	defer cancel()
	r := Result{Name: f.name, Claim: f.claim, Tries: 1}
	s, err := newStage(o)
	if err == nil {
		err = f.run(ctx, s)
		if ctx.Err() != nil {
			err = errors.Join(context.Cause(ctx), err)
		}
		r.Readings = s.readings
		err = errors.Join(err, s.close())
	}
	r.Seconds = time.Since(begin).Seconds()
	r.settle(err)
	return r
}

// Names lists the figures in the card's order.
func Names() []string {
	var names []string
	for _, f := range figures() {
		names = append(names, f.name)
	}
	return names
}

// WriteList writes the figures and what each claims.
func WriteList(w io.Writer) error {
	for _, f := range figures() {
		if _, err := fmt.Fprintf(w, "%-*s  %s\n", nameWidth, f.name, f.claim); err != nil {
			return err
		}
	}
	return nil
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

// raiseFileLimit lifts the soft limit of open files to the hard one, for this
// process and, since it is set by hand, for those that it starts.
func raiseFileLimit() error {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	l.Cur = l.Max
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &l)
}
