package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"sluice/bench/lab"
	"sluice/bench/program"
)

// Bounds of a sluice's start and end.
const (
	readyWait   = 30 * time.Second
	stopWait    = 15 * time.Second
	counterWait = 15 * time.Second
)

// sluice is a running `sluice run`. Its log is written by one goroutine of os/exec.
type sluice struct {
	program.Process
	cmd    *exec.Cmd
	log    *program.Journal
	exited chan struct{} // closed once exit is known
	exit   error         // of exec.Cmd.Wait
	base   int           // fds when it was ready
}

// spec is how a sluice is started.
type spec struct {
	under  []string  // a program that execs it: taskset, prlimit
	flags  []string  // beside those of the stage
	bare   bool      // without the stage's flags
	stderr io.Writer // beside the journal; nil: the journal alone
}

// start runs sluice with its own rules for all that enters the gateway from the
// client, and waits until it is ready.
func (s *stage) start(ctx context.Context, flags ...string) (*sluice, error) {
	return s.startAs(ctx, spec{flags: flags})
}

func (s *stage) startAs(ctx context.Context, how spec) (*sluice, error) {
	p, err := s.launch(how)
	if err != nil {
		return nil, err
	}
	return p, p.ready(ctx)
}

func isConfig(flag string) bool { return strings.HasPrefix(flag, "--config") }

// launch starts sluice and does not wait.
func (s *stage) launch(how spec) (*sluice, error) {
	args := append(slices.Clone(how.under), s.o.Sluice, "run")
	if !how.bare {
		args = append(args, fmt.Sprintf("--tproxy=:%d", tproxyPort), "--install-rules", "--iface="+lab.LAN, "--log-format=json", "--drain-timeout=2s")
	}
	args = append(args, how.flags...)
	if !slices.ContainsFunc(how.flags, isConfig) {
		args = append(args, "--config=off") // else /etc/sluice of this machine
	}
	p := &sluice{log: &program.Journal{}, exited: make(chan struct{})}
	p.cmd = s.Gateway.Command(context.Background(), args[0], args[1:]...)
	p.cmd.WaitDelay = time.Second // a strace that was killed leaves a child that holds the log
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if how.stderr != nil {
		p.cmd.Stdout, p.cmd.Stderr = how.stderr, how.stderr
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start sluice: %w", err)
	}
	p.Process = program.Process(p.cmd.Process.Pid)
	s.sluices = append(s.sluices, p)
	go func() {
		p.exit = p.cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// ready waits for the "ready" line.
func (p *sluice) ready(ctx context.Context) error {
	ready := func() bool { return len(p.log.Entries(0, "ready")) > 0 }
	if until(ctx, readyWait, func() bool { return p.ended() || ready() }) && !p.ended() {
		p.base = p.FDs()
		return nil
	}
	return fmt.Errorf("sluice is not ready: %s", last(p.log))
}

func (p *sluice) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func (p *sluice) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) } // it may have ended

// kill ends it at once.
func (p *sluice) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.exited
}

// stop asks it to end, and says how it ended: nil for status 0.
func (p *sluice) stop(ctx context.Context) error {
	p.signal(syscall.SIGTERM)
	if !until(ctx, stopWait, p.ended) {
		p.kill()
		return errors.New("sluice did not end at SIGTERM")
	}
	return p.exit
}

// counters asks for the counters: a name that is missing is 0.
func (p *sluice) counters(ctx context.Context) (map[string]float64, error) {
	before := p.log.Len()
	p.signal(syscall.SIGUSR1)
	var lines []map[string]any
	if !until(ctx, counterWait, func() bool { lines = p.log.Entries(before, "counters"); return len(lines) > 0 || p.ended() }) || len(lines) == 0 {
		return nil, fmt.Errorf("sluice tells no counters: %s", last(p.log))
	}
	numbers := map[string]float64{}
	for name, value := range lines[0] {
		if n, ok := value.(float64); ok {
			numbers[name] = n
		}
	}
	return numbers, nil
}

// quiet waits until it holds no connection and no session, and tells how many fds
// there are beyond those when it was ready and those that it may keep.
func (p *sluice) quiet(ctx context.Context, within time.Duration, kept int) (over int, err error) {
	until(ctx, within, func() bool {
		var c map[string]float64
		if c, err = p.counters(ctx); err != nil {
			return true
		}
		over = p.FDs() - p.base - kept
		return c["conns_now"] == 0 && c["udp_sessions_now"] == 0 && over <= 0
	})
	return max(0, over), err
}

// words are the text of a log line.
func words(line string) string {
	var entry map[string]any
	if json.Unmarshal([]byte(line), &entry) != nil {
		return line
	}
	text, _ := entry["message"].(string)
	if err, ok := entry["error"].(string); ok {
		text = strings.TrimSpace(text + ": " + err)
	}
	return text
}

// writeFile writes a file of the stage and returns its path.
func (s *stage) writeFile(name, text string) (string, error) {
	path := s.dir + "/" + name
	return path, os.WriteFile(path, []byte(text), 0o644)
}
