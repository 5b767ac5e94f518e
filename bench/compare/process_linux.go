package compare

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
	"sluice/redir/sockets"
)

const (
	// readyWait bounds the wait for a program's listeners.
	readyWait = 15 * time.Second
	// stopWait is how long a program may take to end after SIGTERM.
	stopWait = 3 * time.Second
	// pollEvery is the time between two looks.
	pollEvery = 5 * time.Millisecond
	// saidMax is how much of a program's output is kept, in bytes.
	saidMax = 4 << 10
)

// process is a program that runs inside a namespace of the lab.
type process struct {
	name string
	cmd  *exec.Cmd
	said *tail
	done chan struct{} // closed when it has ended
}

// start starts a program in a process group of its own, so that the terminal's
// interrupt reaches this program alone, which then ends the others.
func start(ns *lab.Namespace, name, program string, args ...string) (*process, error) {
	cmd := ns.Command(context.Background(), program, args...)
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	p := &process{name: name, cmd: cmd, said: &tail{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.said, p.said
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // what it said tells more than its status
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// listens waits until the process' namespace has all those listeners. Nothing else
// in it listens on these ports.
func (p *process) listens(ctx context.Context, tcp, udp []uint16) error {
	deadline := time.NewTimer(readyWait)
	defer deadline.Stop()
	look := time.NewTicker(pollEvery)
	defer look.Stop()
	for {
		if bound(p.pid(), "tcp", tcp) && bound(p.pid(), "udp", udp) {
			return nil
		}
		select {
		case <-look.C:
		case <-p.done:
			return fmt.Errorf("%s ended at once: %s", p.name, p.said)
		case <-deadline.C:
			return fmt.Errorf("%s does not listen after %v: %s", p.name, readyWait, p.said)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// bound tells whether the namespace of a process has a socket on every port that
// listens (TCP) or is bound and unconnected (UDP).
func bound(pid int, network string, ports []uint16) bool {
	missing := slices.Clone(ports)
	for s := range sockets.Of(pid, network, network+"6") {
		if s.Remote.Port() == 0 {
			missing = slices.DeleteFunc(missing, func(port uint16) bool { return port == s.Local.Port() })
		}
	}
	return len(missing) == 0
}

// stop ends the process: SIGTERM to its group, and SIGKILL if that does not help.
func (p *process) stop() error {
	if p == nil {
		return nil
	}
	_ = unix.Kill(-p.pid(), unix.SIGTERM) // it may have ended
	timer := time.NewTimer(stopWait)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	if err := unix.Kill(-p.pid(), unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("end %s: %w", p.name, err)
	}
	<-p.done
	return nil
}

// ended tells that the process runs no more.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	if over := len(t.b) - saidMax; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(string(t.b))
	if text == "" {
		return "it said nothing"
	}
	return text
}
