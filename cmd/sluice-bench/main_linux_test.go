package main

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// A connection that is gone (SIGPIPE) does not end a load; an interrupt does, at
// once.
func TestSignals(t *testing.T) {
	program := filepath.Join(t.TempDir(), "sluice-bench")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	target := startServer(t, program)
	for signal, lasts := range map[syscall.Signal]bool{syscall.SIGPIPE: true, syscall.SIGINT: false, syscall.SIGTERM: false} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			const duration = 2 * time.Second
			load := exec.Command(program, "load", "tcp-rr", target, "--duration", duration.String(), "--ceiling", "off")
			began := time.Now()
			if err := load.Start(); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(duration/4, func() { _ = load.Process.Signal(signal) })
			_ = load.Wait()
			if took := time.Since(began); (took >= duration) != lasts {
				t.Errorf("ended after %v: %v", took, load.ProcessState)
			}
		})
	}
}

// startServer runs a server until the test ends, and returns its address.
func startServer(t *testing.T, program string) string {
	t.Helper()
	cmd := exec.Command(program, "serve", "--listen", "127.0.0.1:0")
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = cmd.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	addr := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(line)
	if addr == "" {
		t.Fatalf("the server said %q", line)
	}
	return addr
}
