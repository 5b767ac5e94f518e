package handover

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// wire is one connection between the two. One goroutine uses it, but for Close.
type wire struct {
	conn *net.UnixConn
	peer Peer
}

// newWire asks the kernel who the peer is.
func newWire(conn *net.UnixConn) (*wire, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	if credErr != nil {
		return nil, os.NewSyscallError("getsockopt SO_PEERCRED", credErr)
	}
	return &wire{conn: conn, peer: Peer{PID: int(cred.Pid), UID: int(cred.Uid)}}, nil
}

// send sends one message within patience. fds stay the caller's.
func (w *wire) send(m message, patience time.Duration, fds ...int) error {
	data, err := m.bytes()
	if err != nil {
		return err
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	if err := w.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, _, err = w.conn.WriteMsgUnix(data, rights, nil)
	return err
}

// receive waits for one message. io.EOF says that the peer has gone.
func (w *wire) receive(patience time.Duration) (message, []int, error) {
	if err := w.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return message{}, nil, err
	}
	data, control := make([]byte, mostBytes+1), make([]byte, unix.CmsgSpace(4*mostFDs))
	n, controls, flags, _, err := w.conn.ReadMsgUnix(data, control)
	if errors.Is(err, unix.ECONNRESET) { // it left something unread, but perhaps said something (unix_release_sock)
		n, controls, flags, _, err = w.conn.ReadMsgUnix(data, control)
	}
	if errors.Is(err, unix.ECONNRESET) {
		err = io.EOF
	}
	if err != nil {
		return message{}, nil, err
	}
	fds, err := rightsIn(control[:controls])
	if err == nil && n == 0 && len(fds) == 0 {
		return message{}, nil, io.EOF
	}
	var m message
	if err == nil {
		m, err = parse(data[:n], len(fds))
	}
	if err == nil && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = fmt.Errorf("message %s: cut short", m.Type)
	}
	if err != nil {
		closeAll(fds)
		return message{}, nil, err
	}
	return m, fds, nil
}

// want receives a message of a type. A refusal is an error that says why.
func (w *wire) want(want kind, patience time.Duration) (message, []int, error) {
	m, fds, err := w.receive(patience)
	switch {
	case err != nil:
		return m, nil, err
	case m.Type == refusal:
		return m, nil, &RefusedError{Peer: w.peer, Why: m.Why}
	case m.Type != want:
		closeAll(fds)
		return m, nil, fmt.Errorf("message %s, where %s should be", m.Type, want)
	}
	return m, fds, nil
}

// rightsIn are the fds in control messages, close-on-exec (ReadMsgUnix).
func rightsIn(control []byte) (fds []int, err error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, err
	}
	for i := range messages {
		if messages[i].Header.Level != unix.SOL_SOCKET || messages[i].Header.Type != unix.SCM_RIGHTS {
			continue
		}
		some, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			closeAll(fds)
			return nil, err
		}
		fds = append(fds, some...)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// Close ends the connection. It may be called again, and from any goroutine.
func (w *wire) Close() { w.conn.Close() }
