package service

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"sluice/redir/quote"
)

// Notifier tells the service manager how things stand, by one socket, which goes on
// working when the process has given up the right to open another. Without a manager,
// its methods do nothing. Any goroutine may use it. A manager that does not
// listen is no reason to fail, so nothing here returns its errors.
type Notifier struct {
	conn *net.UnixConn // nil: no manager
	// Watchdog is the time within which the manager wants to hear Alive
	// again; 0: it does not ask.
	Watchdog time.Duration
}

// NewNotifier finds the manager in the environment: NOTIFY_SOCKET,
// WATCHDOG_USEC and WATCHDOG_PID (sd_notify(3), sd_watchdog_enabled(3)).
func NewNotifier() (*Notifier, error) {
	n := &Notifier{}
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return n, nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	n.conn = conn
	n.Watchdog, _ = daemon.SdWatchdogEnabled(false) // 0 where it is not for us, or makes no sense
	return n, nil
}

// Ready says that all listeners are open, at the start or after Reloading.
func (n *Notifier) Ready(status string) { n.send("READY=1", "STATUS="+status) }

// Reloading says that the configuration is being reread, until Ready. The
// time lets Type=notify-reload tell it from an earlier one (systemd 253).
func (n *Notifier) Reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return
	}
	n.send("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000))
}

// Status says how things stand, in between.
func (n *Notifier) Status(status string) { n.send("STATUS=" + status) }

// HasManager tells whether somebody listens.
func (n *Notifier) HasManager() bool { return n.conn != nil }

// Stopping says that the end has begun.
func (n *Notifier) Stopping(status string) { n.send("STOPPING=1", "STATUS="+status) }

// Follow says that another process of the service is its main one from now on.
// The manager heeds nothing that this one says later.
func (n *Notifier) Follow(pid int) { n.send(fmt.Sprintf("MAINPID=%d", pid)) }

// Alive answers the watchdog.
func (n *Notifier) Alive() { n.send("WATCHDOG=1") }

// sendPatience is how long a manager is waited for that has stopped reading, and so
// how long it may hold up who tells it something.
const sendPatience = time.Second

// send sends one message; a line break in a value would begin another.
func (n *Notifier) send(lines ...string) {
	if n.conn == nil {
		return
	}
	for i, line := range lines {
		lines[i] = quote.Line(strings.ReplaceAll(line, "\n", " "))
	}
	_ = n.conn.SetWriteDeadline(time.Now().Add(sendPatience))
	_, _ = n.conn.Write([]byte(strings.Join(lines, "\n")))
}

// Close gives the socket back.
func (n *Notifier) Close() {
	if n.conn != nil {
		n.conn.Close()
	}
}
