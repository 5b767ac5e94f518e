package torture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sluice/bench/program"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// injection is a strace that makes system calls of a running sluice fail.
type injection struct {
	cmd *exec.Cmd
	log string // path
}

// inject makes calls end with an error: the first'th of each thread and every step'th
// after it. It returns once every thread is traced.
func (s *stage) inject(ctx context.Context, pid program.Process, call, errno string, first, step int) (*injection, error) {
	log := s.dir + "/strace-" + strings.ReplaceAll(call, ",", "-")
	expr := fmt.Sprintf("inject=%s:error=%s:when=%d+%d", call, errno, first, step)
	said := &program.Journal{}
	cmd := exec.CommandContext(ctx, "strace", "-f", "-o", log, "-e", "trace="+call, "-e", expr, "-p", strconv.Itoa(int(pid)))
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("strace: %w", err)
	}
	i := &injection{cmd, log}
	if !until(ctx, patience, func() bool { return said.Says("attached") }) {
		return nil, errors.Join(fmt.Errorf("strace does not attach: %s", last(said)), i.end())
	}
	return i, nil
}

// injected is how many calls ended with the error so far.
func (i *injection) injected() int {
	text, _ := os.ReadFile(i.log) // none before the first call
	return strings.Count(string(text), "(INJECTED)")
}

// end lets sluice go on without it.
func (i *injection) end() error {
	if err := i.cmd.Process.Signal(unix.SIGINT); err != nil {
		return nil // sluice ended, and strace with it
	}
	kill := time.AfterFunc(patience, func() { _ = i.cmd.Process.Kill() })
	defer kill.Stop()
	_ = i.cmd.Wait() // by the signal
	return nil
}
