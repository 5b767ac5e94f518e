package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/client"
	"sluice/cmd/sluice/show"
	"sluice/cmd/sluice/tell"
)

// flowsCmd is `sluice flows`.
type flowsCmd struct {
	reachFlags
	filterFlags
	Limit *int `env:"-" placeholder:"N" help:"So many at most; 0: all. Else as many as have room on a terminal, and all elsewhere."`
	Watch bool `env:"-" help:"Go on, with their rates, each second: the fastest, unless --sort says otherwise."`
	JSON  bool `name:"json" env:"-" help:"Write JSON: a flow a line; with --watch, a sample of the traffic."`
}

const (
	// flowsPage is how many are asked for at a time, and tableFlows how many are
	// aligned with each other in a table.
	flowsPage, tableFlows = 10_000, 1000
	// watchedFlows are those of a sample where there is no terminal, and
	// mostWatchedFlows how many there may be.
	watchedFlows, mostWatchedFlows = 20, 200
	// otherLines are those beside the flows on a terminal.
	otherLines = 3
)

// Validate finds fault with the flags.
func (cmd *flowsCmd) Validate() error {
	if cmd.Limit != nil && *cmd.Limit < 0 {
		return fmt.Errorf("--limit %d: want a number of flows, or 0 for all", *cmd.Limit)
	}
	_, err := cmd.filter()
	return err
}

// Run shows them.
func (cmd *flowsCmd) Run() error {
	source, err := cmd.client()
	if err != nil {
		return err
	}
	defer source.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := sheetOf(os.Stdout)
	if cmd.Watch {
		return cmd.watch(ctx, source, out)
	}
	return cmd.list(ctx, source, out)
}

// sheet is where a command writes to.
type sheet struct {
	*bufio.Writer
	isTerminal    bool
	width, height int // 0: no bound
}

func sheetOf(file *os.File) sheet {
	out := sheet{Writer: bufio.NewWriter(file), isTerminal: term.IsTerminal(int(file.Fd()))}
	if out.isTerminal {
		out.width, out.height, _ = term.GetSize(int(file.Fd())) // 0, where it is not known
	}
	return out
}

// lines writes some.
func (s *sheet) lines(lines []string) error {
	for _, line := range lines {
		if _, err := s.WriteString(line + "\n"); err != nil {
			return err
		}
	}
	return s.Flush()
}

// limit is how many flows are shown; 0: all.
func (cmd *flowsCmd) limit(out sheet) int {
	switch {
	case cmd.Limit != nil:
		return *cmd.Limit
	case out.height > 0 && !cmd.JSON:
		return max(1, out.height-otherLines)
	}
	return 0
}

// list writes flows once: all that there are in no order, which takes one look at
// them, or pages.
func (cmd *flowsCmd) list(ctx context.Context, source *client.Client, out sheet) error {
	q, limit := cmd.query(), cmd.limit(out)
	w := flowWriter{out: &out, isJSON: cmd.JSON}
	if limit == 0 && q.Sort == "" && q.Rate == 0 {
		for f, err := range source.All(ctx, &q) {
			if err == nil {
				err = w.write(f)
			}
			if err != nil {
				return err
			}
		}
		return w.end()
	}
	written, total := 0, 0
	for more := true; more; more = q.After != "" && (limit == 0 || written < limit) {
		q.Limit = flowsPage
		if limit > 0 {
			q.Limit = min(flowsPage, limit-written)
		}
		page, err := source.Page(ctx, &q)
		if err != nil {
			return err
		}
		for _, f := range page.Flows {
			if err := w.write(f); err != nil {
				return err
			}
		}
		written, total, q.After = written+len(page.Flows), page.Total, page.Next
	}
	if err := w.end(); err != nil {
		return err
	}
	if q.After != "" && cmd.Limit == nil {
		fmt.Fprintf(os.Stderr, "%d of %d flows; --limit 0 shows all\n", written, total)
	}
	return nil
}

// flowWriter writes flows as they come, where they are a table a page at a time.
type flowWriter struct {
	out     *sheet
	isJSON  bool
	page    []api.Flow
	isBegun bool // the heading is written
}

func (w *flowWriter) write(f api.Flow) error {
	if w.isJSON {
		return json.NewEncoder(w.out).Encode(&f)
	}
	if w.page = append(w.page, f); len(w.page) < tableFlows {
		return nil
	}
	return w.end()
}

// end writes what has not been.
func (w *flowWriter) end() error {
	if w.isJSON || w.isBegun && len(w.page) == 0 {
		return w.out.Flush()
	}
	lines := tell.Flows(w.page, time.Now(), w.out.width)
	if w.isBegun {
		lines = lines[1:]
	}
	w.isBegun, w.page = true, w.page[:0]
	return w.out.lines(lines)
}

// watch writes the first flows each second, until it is told to end: over those before
// on a terminal, below them elsewhere.
func (cmd *flowsCmd) watch(ctx context.Context, source *client.Client, out sheet) error {
	q, limit := cmd.query(), cmd.limit(out)
	if limit == 0 {
		limit = watchedFlows
	}
	limit = min(limit, mostWatchedFlows)
	if _, err := source.Page(ctx, &api.Query{Limit: 1}); err != nil { // what no waiting mends is said at once
		return err
	}
	for sample, err := range source.Follow(ctx, &q, limit) {
		switch {
		case err != nil:
			fmt.Fprintln(os.Stderr, "sluice:", show.Text(err.Error()))
		case cmd.JSON:
			err = errors.Join(json.NewEncoder(out).Encode(sample), out.Flush())
		case sample.Interval == 0: // the first look tells no rates
		case out.isTerminal:
			err = out.repaint(block(sample, out.width))
		default:
			err = out.lines(append(block(sample, 0), ""))
		}
		if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
			return nil // nobody reads any more
		}
	}
	if out.isTerminal {
		return out.lines([]string{""}) // below what was painted
	}
	return nil
}

// block is a sample as lines: what moves altogether, and the flows.
func block(s *api.Sample, width int) []string {
	head := fmt.Sprintf("%s  %d flows  bit/s:", s.Time.Local().Format(time.TimeOnly), s.Total)
	for _, n := range s.Networks {
		head += fmt.Sprintf(" %s %s up %s down ", show.Text(n.Network), show.Bits(n.RateUp), show.Bits(n.RateDown))
	}
	if width > 0 && len(head) > width {
		head = head[:width]
	}
	return append([]string{head}, tell.Flows(s.Flows, s.Time, width)...)
}

// repaint writes lines over what the terminal shows, without a moment in which it is
// empty (ECMA-48: CUP, EL, ED).
func (s *sheet) repaint(lines []string) error {
	s.WriteString("\x1b[H")
	for i, line := range lines {
		if i > 0 {
			s.WriteString("\r\n")
		}
		s.WriteString(line + "\x1b[K")
	}
	s.WriteString("\x1b[J")
	return s.Flush()
}
