package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sluice/cmd/sluice/api"
)

// terminal is a tmux of its own with one program in it.
type terminal struct {
	t      *testing.T
	socket string
}

// openTerminal runs a command at a size, with more in its environment. When the
// command ends, its status is shown.
func openTerminal(t *testing.T, width, height int, env []string, command ...string) *terminal {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("there is no tmux here to be a terminal")
	}
	term := &terminal{t, filepath.Join(t.TempDir(), "tmux")}
	args := []string{"-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(width), "-y", fmt.Sprint(height), "env", "LC_ALL=C.UTF-8"}
	args = append(append(args, env...), "sh", "-c", `"$@"; echo "left with $?"; exec cat`, "sh")
	args = append(append(args, command...), ";", "set-option", "-g", "status", "off")
	term.tmux(args...)
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", term.socket, "kill-server").Run() })
	return term
}

func (term *terminal) tmux(args ...string) string {
	term.t.Helper()
	return output(term.t, "tmux", append([]string{"-u", "-S", term.socket}, args...)...)
}

func (term *terminal) screen(more ...string) string {
	return term.tmux(append([]string{"capture-pane", "-p"}, more...)...)
}

func (term *terminal) press(keys ...string) {
	term.t.Helper()
	term.tmux(append([]string{"send-keys"}, keys...)...)
}

// shows waits until all of the texts are on the screen, and returns it.
func (term *terminal) shows(texts ...string) (screen string) {
	term.t.Helper()
	defer func() {
		if term.t.Failed() {
			term.t.Log("the screen:\n" + screen)
		}
	}()
	eventually(term.t, fmt.Sprintf("a screen with %q", texts), func() bool {
		screen = term.screen()
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false
			}
		}
		return true
	})
	return screen
}

// TestTop: what an operator sees by ssh, at 80 by 24, and what the keys do.
func TestTop(t *testing.T) {
	program := buildProgram(t)
	t.Run("terminal", func(t *testing.T) { testTopKeys(t, program) })
	t.Run("gone", func(t *testing.T) { testTopGone(t, program) })
	t.Run("modest", func(t *testing.T) { testTopModest(t, program) })
	t.Run("pipe", func(t *testing.T) { testTopPipe(t, program) })
	t.Run("refused", func(t *testing.T) { testTopRefused(t, program) })
}

func testTopKeys(t *testing.T, program string) {
	t.Parallel()
	f := newFakeControl(t)
	f.serve(t)
	term := openTerminal(t, 80, 24, nil, program, "top", "--control", f.path)
	lines := strings.Split(term.shows("sluice v1.2.3  serving, up 3d05h", "+120 -118/s", "▅"), "\n")
	for i, want := range map[int]string{
		1: "TCP  up ", 2: "UDP  up 1.00 Mbit/s", 3: "connections 40/10.0k, 12 dialing +120 -118/s   sessions 345/65.5k +3 -2/s",
		4: " 1 clients  2 destinations  3 flows  4 refusals 12/s              bit/s, by rate",
		5: "CLIENT                             CONNS    UDP     UP   DOWN     SENT  RECEIVED",
		6: "10.0.0.1                     held     10      0   800k  72.0M  12.3 MB    988 MB",
		7: "2001:db8:~bc:def0:1234:5678            1      4  40.0k  24.0M      0 B       0 B",
	} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d is %q, want %q", i, lines[i], want)
		}
	}
	if want := "s sort  / filter  enter flows  k end its flows  p pause  ? help  q quit"; lines[23] != want {
		t.Errorf("the last line is %q", lines[23])
	}
	term.press("2")
	term.shows("DESTINATION", `evil\x1b`)
	term.press("4")
	term.shows("refused_client_connects", "123456")
	term.press("3", "Down")
	term.shows("10.0.0.1:40016", "STATE")
	if title := term.tmux("display-message", "-p", "#{pane_title}"); strings.Contains(title, "owned") {
		t.Errorf("a name from the network sets the title: %s", title)
	}
	term.press("Enter")
	term.shows("flow t0.1.1", "12.3 MB (12345678), 312 kbit/s", `name         evil\x1b[2J\x1b]0;owned\a`)
	term.press("k")
	term.shows("End 10.0.0.2:40001", "y/n")
	term.press("y")
	term.shows("ended 1: 10.0.0.2:40001", "has ended")
	term.press("Escape")
	term.shows("STATE")
	term.press("/")
	term.shows("filter: ", "state=dialing")
	term.press("1", "0", ".", "0", ".", "0", ".", "1", "Enter")
	term.shows("only 10.0.0.1 (10 flows)")
	term.press("K")
	term.shows("End all flows of client 10.0.0.1 (10 now)? y/n")
	term.press("y")
	term.shows("ended 10: of client 10.0.0.1", "none")
	f.mu.Lock()
	if got := strings.Join(f.ended, " "); got != "t0.1.1 client=10.0.0.1" {
		t.Errorf("ended %s", got)
	}
	f.well = false
	f.mu.Unlock()
	term.press("Escape")
	term.shows("NOT WELL: the rules are gone")
	term.tmux("resize-window", "-x", "40", "-y", "10")
	term.shows(" 1  2  3 flows  4 ", "? help  q quit")
	term.tmux("resize-window", "-x", "132", "-y", "30")
	term.shows("OUTBOUND", "s sort  / filter")
	term.press("q")
	term.shows("left with 0")
}

// testTopGone: a sluice that ends is told, and one that comes back is shown.
func testTopGone(t *testing.T, program string) {
	t.Parallel()
	f := newFakeControl(t)
	stop := f.serve(t)
	term := openTerminal(t, 80, 24, nil, program, "top", "--control", f.path)
	term.shows("serving")
	stop()
	term.shows("no answer since 12:", "trying again", "no sluice answers at")
	f.serve(t)
	term.shows("serving")
}

// testTopModest: terminals that can do little.
func testTopModest(t *testing.T, program string) {
	t.Parallel()
	f := newFakeControl(t)
	f.serve(t)
	term := openTerminal(t, 80, 24, []string{"NO_COLOR=1", "LC_ALL=C"}, program, "top", "--control", f.path)
	term.shows("serving", "+120 -118/s")
	coloured := regexp.MustCompile("\x1b\\[([0-9]+;)*(3[0-8]|4[0-8]|9[0-7]|10[0-7])(;[0-9]+)*m")
	if screen := term.screen("-e"); coloured.MatchString(screen) || !strings.Contains(screen, "\x1b[") || strings.Contains(screen, "▅") {
		t.Errorf("%q", screen)
	}
	dumb := openTerminal(t, 80, 24, []string{"TERM=dumb"}, program, "top", "--control", f.path, "-n", "1")
	dumb.shows("NETWORK ", "10.0.0.1:40000", "left with 0")
}

func testTopPipe(t *testing.T, program string) {
	t.Parallel()
	f := newFakeControl(t)
	f.serve(t)
	once := output(t, program, "top", "--control", f.path, "--once")
	if strings.Count(once, "NETWORK") != 1 || !strings.Contains(once, "udp      1.00 Mbit/s  2.00 Mbit/s") || strings.Contains(once, "\x1b") {
		t.Errorf("%s", once)
	}
	if twice := output(t, "env", "SLUICE_CONTROL="+f.path, program, "top", "-n", "2"); strings.Count(twice, "NETWORK") != 2 {
		t.Errorf("%s", twice)
	}
	lines := strings.Split(strings.TrimSpace(output(t, "sh", "-c", program+" top --json --control "+f.path+" | head -n 2")), "\n")
	for _, line := range lines {
		var s api.Sample
		if err := json.Unmarshal([]byte(line), &s); err != nil || s.Interval != 1 || len(s.Flows) == 0 {
			t.Errorf("%v: %s", err, line)
		}
	}
	if len(lines) != 2 {
		t.Errorf("%d lines", len(lines))
	}
}

// testTopRefused: who may not, or asks nobody, learns what to do.
func testTopRefused(t *testing.T, program string) {
	t.Parallel()
	f := newFakeControl(t)
	none := exec.Command(program, "top", "--control", f.path)
	if out, err := none.CombinedOutput(); err == nil || !strings.Contains(string(out), "there is no such socket; start sluice with --control") {
		t.Errorf("%v: %s", err, out)
	}
	if os.Geteuid() != 0 {
		return
	}
	f.serve(t)
	if err := os.Chmod(f.path, 0o660); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(f.path, 0, 1); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Dir(f.path), filepath.Dir(filepath.Dir(f.path)), filepath.Dir(program), filepath.Dir(filepath.Dir(program))} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	stranger := exec.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "top", "--control", f.path)
	want := "sluice: " + f.path + ": permission denied: it is for root and members of group daemon (usermod -aG daemon YOU, and log in anew)\n"
	if out, err := stranger.CombinedOutput(); err == nil || string(out) != want {
		t.Errorf("%v: %s", err, out)
	}
}
