package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// Bounds on sluice's start and end.
const (
	readyWait = 10 * time.Second
	stopWait  = 15 * time.Second
)

// proxy is a running sluice. Its log is read by one goroutine until it ends.
type proxy struct {
	cmd  *exec.Cmd
	log  *strings.Builder // all that it logged; read it once done is closed
	done chan struct{}    // closed at the end of the log
}

// startSluice starts `sluice run` in the gateway and waits for its "ready" line.
func startSluice(ctx context.Context, l *lab.Lab, path string) (*proxy, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	cmd := l.Gateway.Command(context.WithoutCancel(ctx), path, "run", "--config=off",
		fmt.Sprintf("--redirect=:%d", redirectListen), fmt.Sprintf("--tproxy=:%d", tproxyListen), "--log-format=json",
		"--upstream=socks5://"+socksAt().String(), "--direct="+direct4, "--direct="+direct6)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start sluice: %w", err)
	}
	p := &proxy{cmd: cmd, log: new(strings.Builder), done: make(chan struct{})}
	ready := make(chan struct{})
	go p.readLog(stderr, ready)

	timeout := time.NewTimer(readyWait)
	defer timeout.Stop()
	select {
	case <-ready:
		return p, nil
	case <-p.done:
		err = errors.New("sluice ended before it was ready")
	case <-timeout.C:
		err = fmt.Errorf("sluice was not ready within %v", readyWait)
	case <-ctx.Done():
		err = ctx.Err()
	}
	_ = cmd.Process.Kill()
	<-p.done
	_ = cmd.Wait()
	return nil, fmt.Errorf("%w; it said:\n%s", err, p.log)
}

// readLog keeps the log and closes ready at the message "ready".
func (p *proxy) readLog(r io.Reader, ready chan<- struct{}) {
	defer close(p.done)
	for lines := bufio.NewScanner(r); lines.Scan(); {
		p.log.WriteString(lines.Text() + "\n")
		var line struct{ Message string }
		if ready != nil && json.Unmarshal(lines.Bytes(), &line) == nil && line.Message == "ready" {
			close(ready)
			ready = nil
		}
	}
}

// stop asks sluice to end (SIGTERM) and expects status 0.
func (p *proxy) stop() error {
	_ = p.cmd.Process.Signal(unix.SIGTERM)
	kill := time.AfterFunc(stopWait, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	<-p.done
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("sluice ended with %w; it said:\n%s", err, p.log)
	}
	return nil
}
