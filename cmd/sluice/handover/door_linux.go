package handover

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// name is where a successor finds who listens at a place.
func name(place string) string { return "@sluice-" + place }

// knockers is how many may wait at a door.
const knockers = 16

// Door is where successors find this process. Its methods may be called from any
// goroutine.
type Door struct {
	release string
	greet   func(*Successor)
	turn    sync.Mutex // held while one is greeted

	mu        sync.Mutex // guards what follows
	listeners map[string]*net.UnixListener
	guest     Peer // who is greeted
	calls     map[*wire]struct{}
	closed    bool
	serving   sync.WaitGroup
}

// NewDoor returns a door at no place. It calls greet, on a goroutine of its
// own, for one successor at a time; the others are told to wait. release is this
// program's.
func NewDoor(release string, greet func(*Successor)) *Door {
	return &Door{release: release, greet: greet, listeners: map[string]*net.UnixListener{}, calls: map[*wire]struct{}{}}
}

// Keep opens the door at places, and closes it at others. It takes over
// inherited sockets of an incumbent's door. The errors are those of places where
// successors will not find it.
func (d *Door) Keep(places []string, inherited []int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	had := adoptDoors(inherited)
	defer func() {
		for _, l := range had {
			l.Close()
		}
	}()
	if d.closed {
		return nil
	}
	kept := map[string]*net.UnixListener{}
	var errs []error
	for _, place := range places {
		l := d.listeners[place]
		if l == nil {
			l = had[name(place)]
			delete(had, name(place))
			var err error
			if l == nil {
				l, err = net.ListenUnix("unixpacket", &net.UnixAddr{Name: name(place), Net: "unixpacket"})
			}
			if err == nil {
				err = listenAgain(l)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name(place), err))
				continue
			}
			d.serving.Go(func() { d.open(l) })
		}
		delete(d.listeners, place)
		kept[place] = l
	}
	for _, l := range d.listeners {
		l.Close()
	}
	d.listeners = kept
	return errors.Join(errs...)
}

// listenAgain makes this process the one that SO_PEERCRED names (unix_listen in
// net/unix/af_unix.c), and bounds who waits.
func listenAgain(l *net.UnixListener) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = unix.Listen(int(fd), knockers) }); err != nil {
		return err
	}
	return os.NewSyscallError("listen", inner)
}

// adoptDoors takes over sockets that listen at abstract names.
func adoptDoors(fds []int) map[string]*net.UnixListener {
	doors := map[string]*net.UnixListener{}
	for _, fd := range fds {
		file := os.NewFile(uintptr(fd), "door")
		l, err := net.FileListener(file) // a copy
		file.Close()
		if err != nil {
			continue
		}
		door, ok := l.(*net.UnixListener)
		if !ok || doors[door.Addr().String()] != nil {
			l.Close()
			continue
		}
		doors[door.Addr().String()] = door
	}
	return doors
}

// copies returns a copy of each listener of the door, the caller's to close.
func (d *Door) copies() (fds []int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.listeners {
		raw, err := l.SyscallConn()
		if err == nil {
			var fd int
			var dupErr error
			err = raw.Control(func(own uintptr) { fd, dupErr = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
			if err == nil {
				err = os.NewSyscallError("fcntl", dupErr)
			}
			if err == nil {
				fds = append(fds, fd)
			}
		}
		if err != nil {
			closeAll(fds)
			return nil, err
		}
	}
	return fds, nil
}

// shut closes this process' listeners. Calls go on.
func (d *Door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.listeners {
		l.Close()
	}
	clear(d.listeners)
	d.closed = true
}

// HangUp ends the calls that are under way, and with them a hand-over. Others may
// come.
func (d *Door) HangUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for w := range d.calls {
		w.Close()
	}
}

// Close ends all, a hand-over under way too, and waits for greet to return.
func (d *Door) Close() {
	d.shut()
	d.HangUp()
	d.serving.Wait()
}
