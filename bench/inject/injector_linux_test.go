package inject

import (
	"bytes"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOnlyTheCallFails asserts that a program sees the error that was asked for,
// as many times as that, and that nothing else of it fails.
func TestOnlyTheCallFails(t *testing.T) {
	script := `read line; cd /tmp && echo first; cd /tmp && echo second; cd /tmp && echo third`
	cmd := exec.Command("sh", "-c", script)
	var out, failures bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failures
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	inj, err := Start(cmd, unix.SYS_CHDIR, unix.SYS_GETPPID)
	if err != nil {
		t.Fatal(err)
	}
	inj.Set(Fault{Call: unix.SYS_CHDIR, Errno: syscall.EIO, Times: 2})
	if _, err := in.Write([]byte("go\n")); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, &failures)
	}
	inj.Wait()
	if out.String() != "third\n" || strings.Count(failures.String(), "\n") != 2 {
		t.Errorf("printed %q and %q, want the third alone", &out, &failures)
	}
	if hits := inj.Set(Fault{}); hits != 2 {
		t.Errorf("struck %d times, want 2", hits)
	}
}

// TestProgramThatIsNotThere asserts that the error of starting comes through.
func TestProgramThatIsNotThere(t *testing.T) {
	if _, err := Start(exec.Command("/nonexistent"), unix.SYS_CHDIR); err == nil {
		t.Fatal("no error")
	}
}

// TestWorldStops asserts that starting goes on while the collector stops the
// world, also where calls are watched that os/exec and the scheduler make with
// their P held.
func TestWorldStops(t *testing.T) {
	enough := make(chan struct{})
	defer close(enough)
	go func() {
		for {
			select {
			case <-enough:
				return
			default:
				runtime.GC()
			}
		}
	}()
	for range 50 {
		cmd := exec.Command("true")
		inj, err := Start(cmd, unix.SYS_PIPE2, unix.SYS_EPOLL_CTL, unix.SYS_CLOSE, unix.SYS_FCNTL)
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		inj.Wait()
	}
}
