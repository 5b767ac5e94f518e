package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// netnsDir is where `ip netns` and the netns package keep named namespaces.
const netnsDir = "/run/netns"

// Namespace is one named network namespace.
type Namespace struct {
	Name   string
	handle netns.NsHandle
}

// createNamespace makes a namespace with its loopback up.
func createNamespace(name string) (*Namespace, error) {
	if _, err := os.Stat(filepath.Join(netnsDir, name)); err == nil {
		return nil, fmt.Errorf("namespace %s: %w; remove it with: ip netns delete %s", name, os.ErrExist, name)
	}
	ns := &Namespace{Name: name}
	err := onOwnThread(func() error {
		var err error
		ns.handle, err = netns.NewNamed(name)
		return err
	})
	if errors.Is(err, unix.EPERM) || errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("namespace %s: %w; run as root or as: unshare --user --map-root-user --net --mount", name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("namespace %s: %w", name, err)
	}
	return ns, nil
}

func openNamespace(name string) (*Namespace, error) {
	h, err := netns.GetFromName(name)
	if err != nil {
		return nil, fmt.Errorf("namespace %s: %w", name, err)
	}
	return &Namespace{Name: name, handle: h}, nil
}

func (ns *Namespace) remove() error {
	ns.handle.Close()
	if err := netns.DeleteNamed(ns.Name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("namespace %s: %w", ns.Name, err)
	}
	return nil
}

// Do runs fn inside the namespace, on an OS thread that nothing else uses
// meanwhile. Sockets that fn opens belong to the namespace for good; goroutines
// that fn starts run outside of it. Goexit in fn (t.FailNow) ends the caller too.
func (ns *Namespace) Do(fn func() error) error {
	return onOwnThread(func() error {
		if err := netns.Set(ns.handle); err != nil {
			return fmt.Errorf("enter namespace %s: %w", ns.Name, err)
		}
		return fn()
	})
}

// onOwnThread runs fn on a locked OS thread and afterwards puts the thread back
// into the network namespace that it came from. A thread that cannot be put back
// ends with its goroutine (runtime.LockOSThread).
func onOwnThread(fn func() error) error {
	done := make(chan struct{})
	var err error
	returned := false
	go func() {
		defer close(done)
		runtime.LockOSThread()
		home, e := netns.Get()
		if e != nil {
			err, returned = fmt.Errorf("own namespace: %w", e), true
			return
		}
		defer home.Close()
		defer func() {
			if netns.Set(home) == nil {
				runtime.UnlockOSThread()
			}
		}()
		err = fn()
		returned = true
	}()
	<-done
	if !returned {
		runtime.Goexit()
	}
	return err
}

// Command prepares a program to run inside the namespace. The process that
// starts is the program itself (nsenter execs it), so its pid and its exit
// status are the program's. It is not started.
func (ns *Namespace) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter",
		append([]string{"--net=" + filepath.Join(netnsDir, ns.Name), "--", name}, args...)...)
}

// Run runs a program inside the namespace to its end. The error holds what the
// program wrote.
func (ns *Namespace) Run(ctx context.Context, name string, args ...string) error {
	out, err := ns.Command(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %s %s: %w: %s", ns.Name, name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Sysctl sets a network sysctl inside the namespace: Sysctl("net/ipv4/ip_forward", "1").
// /proc/sys/net shows the namespace of the thread that opens the file.
func (ns *Namespace) Sysctl(key, value string) error {
	return ns.Do(func() error {
		f, err := os.OpenFile(filepath.Join("/proc/sys", key), os.O_WRONLY, 0)
		if err != nil {
			return fmt.Errorf("%s: sysctl: %w%s", ns.Name, err, sysctlComesWith(key, err))
		}
		_, err = f.WriteString(value)
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("%s: sysctl %s=%s: %w", ns.Name, key, value, err)
		}
		return nil
	})
}

// ReadSysctl reads a network sysctl inside the namespace, without the newline.
func (ns *Namespace) ReadSysctl(key string) (string, error) {
	var text []byte
	err := ns.Do(func() (err error) {
		text, err = os.ReadFile(filepath.Join("/proc/sys", key))
		return err
	})
	return strings.TrimSpace(string(text)), err
}

// links opens a netlink handle inside the namespace; the caller closes it.
func (ns *Namespace) links() (*netlink.Handle, error) {
	h, err := netlink.NewHandleAt(ns.handle, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("%s: netlink: %w", ns.Name, err)
	}
	return h, nil
}
