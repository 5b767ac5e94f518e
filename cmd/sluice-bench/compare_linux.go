package main

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"sluice/bench/compare"
	"sluice/bench/lab"
	"sluice/bench/report"
)

type compareCmd struct {
	Sluice  string        `help:"The sluice program." default:"bin/sluice" placeholder:"PATH" group:"What"`
	Variant []variantFlag `help:"A sluice to compare, as NAME=FLAGS of 'sluice run'; flags may follow the path of another sluice program (repeatable; none: one without flags)." sep:"none" placeholder:"NAME=FLAGS" group:"What"`
	Peers   []string      `help:"The other peers (default: all that --list names); those that are not installed are left out." enum:"${peers}" default:"${peers}" placeholder:"NAME" group:"What"`
	PeerDir string        `help:"Folder of peers beside PATH, and where --install puts the Go ones (default: peers under --out)." placeholder:"DIR" group:"What"`
	Install bool          `help:"Install what is missing first: Debian's packages, and sing-box and Xray by 'go install'." group:"What"`
	Base    []string      `help:"Peers that ratios refer to: in each work the first that takes part; else another proxy, else plain forwarding." default:"haproxy,sing-box" group:"What"`
	Work    []string      `help:"Only these works (see --list), or all." enum:"${works}" placeholder:"KEY" group:"What"`
	Sweep   []string      `help:"How cost grows: connections, flows, size, reactors, all. Without --work, nothing but the sweeps." enum:"${sweeps}" placeholder:"NAME" group:"What"`

	Congestion []string `help:"TCP's congestion control in the lab, as cubic or bbr: works have the first, bulk streams each in turn (default: the machine's, and cubic)." placeholder:"NAME" group:"What"`

	List bool `help:"List works, sweeps, congestion controls and peers, with what brings those that are not installed, and leave." group:"What"`

	Rounds   int           `help:"Rounds." default:"7" group:"How long"`
	Duration time.Duration `help:"Length of one load; wrk and iperf3 take whole seconds." default:"3s" group:"How long"`
	Short    bool          `help:"Three rounds of a second, all within ten minutes." group:"How long"`

	Out   string `help:"Folder of the results: compare.json, report.html, plots." default:"bench/out" placeholder:"DIR" group:"Result"`
	Quiet bool   `help:"No progress." group:"Result"`
}

const (
	shortRounds   = 3
	shortDuration = time.Second
	// shortBudget leaves time for the checks, the last round and the report within
	// ten minutes.
	shortBudget = 8 * time.Minute
)

// Validate refuses what no comparison can be made with.
func (c *compareCmd) Validate() error {
	if c.Duration <= 0 || c.Rounds < 1 {
		return fmt.Errorf("--duration %v and --rounds %d must be more than 0", c.Duration, c.Rounds)
	}
	return nil
}

func (c *compareCmd) Run(ctx context.Context) error {
	begin := time.Now()
	if c.PeerDir == "" {
		c.PeerDir = filepath.Join(c.Out, "peers")
	}
	var err error
	if c.Congestion, err = compare.Congestions(c.Congestion); err != nil {
		return err
	}
	if c.List {
		return compare.WriteList(os.Stdout, []string{c.PeerDir}, c.Congestion)
	}
	if c.Install && !lab.Entered() {
		if err := compare.Install(ctx, c.PeerDir, c.Peers, os.Stderr); err != nil {
			if ctx.Err() != nil {
				return err
			}
			fmt.Fprintln(os.Stderr, "sluice-bench: goes on without:", err)
		}
	}
	if err := lab.Enter(); err != nil {
		return err
	}
	o, err := c.options(begin)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil { // rather now than when all is measured
		return fmt.Errorf("--out: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o.Progress = untilUnread{o.Progress, cancel}
	res, err := compare.Run(ctx, o)
	if res == nil || len(res.Works) == 0 {
		return err
	}
	return errors.Join(err, c.save(res))
}

// untilUnread ends a comparison that nobody follows any more (2>&1 | head).
type untilUnread struct {
	io.Writer
	end context.CancelFunc
}

func (u untilUnread) Write(text []byte) (int, error) {
	n, err := u.Writer.Write(text)
	if errors.Is(err, syscall.EPIPE) {
		u.end()
	}
	return n, err
}

func (c *compareCmd) options(begin time.Time) (compare.Options, error) {
	o := compare.Options{Sluice: c.Sluice, Kinds: c.Peers, PeerDirs: []string{c.PeerDir}, Base: c.Base, Works: c.Work,
		Sweeps: c.Sweep, Congestion: c.Congestion, Rounds: c.Rounds, Duration: c.Duration, Progress: os.Stderr}
	for _, v := range c.Variant {
		o.Variants = append(o.Variants, compare.Variant(v))
	}
	if slices.Contains(c.Work, "all") {
		o.Works = nil
		for _, w := range compare.Works() {
			o.Works = append(o.Works, w.Key)
		}
	}
	if slices.Contains(c.Sweep, "all") {
		o.Sweeps = compare.Sweeps()
	}
	if c.Short {
		o.Rounds, o.Duration, o.Budget = shortRounds, shortDuration, shortBudget-time.Since(begin)
		o.Budget = max(o.Budget, time.Second)
	}
	if c.Quiet {
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			return o, err
		}
		o.Progress = null
	}
	var err error
	o.Program, err = os.Executable()
	return o, err
}

// save writes the tables to the terminal and the files to the folder.
func (c *compareCmd) save(res *compare.Result) error {
	if err := res.WriteText(os.Stdout); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(c.Out, resultFile))
	if err != nil {
		return err
	}
	if err := errors.Join(res.Write(f), f.Close()); err != nil {
		return err
	}
	html, err := report.Write(res, c.Out)
	if err == nil {
		fmt.Println("\nreport:", html)
	}
	return err
}

// variantFlag reads NAME=FLAGS, or NAME=PROGRAM FLAGS.
type variantFlag compare.Variant

var _ encoding.TextUnmarshaler = (*variantFlag)(nil)

func (v *variantFlag) UnmarshalText(text []byte) error {
	name, flags, ok := strings.Cut(string(text), "=")
	if !ok || name == "" {
		return fmt.Errorf("%q: want NAME=FLAGS", text)
	}
	v.Name, v.Flags = name, strings.Fields(flags)
	if len(v.Flags) > 0 && !strings.HasPrefix(v.Flags[0], "-") {
		v.Program, v.Flags = v.Flags[0], v.Flags[1:]
	}
	return nil
}
