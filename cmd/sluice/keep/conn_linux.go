package keep

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Conn is one end of the socket between the two. One goroutine receives; any
// may send.
type Conn struct{ file *os.File }

// Pair returns an end of a new socket, and the other as a file for a child.
func Pair() (*Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return NewConn(fds[0]), os.NewFile(uintptr(fds[1]), "keeper"), nil
}

// Inherited is the end that was passed on as the descriptor fd.
func Inherited(fd int) (*Conn, error) {
	if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_SEQPACKET {
		return nil, fmt.Errorf("descriptor %d is no socket of a running sluice", fd)
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return NewConn(fd), nil
}

// NewConn takes over a non-blocking descriptor.
func NewConn(fd int) *Conn { return &Conn{os.NewFile(uintptr(fd), "keeper")} }

// Send sends a Request or a Reply. Where the other end does not read, it waits.
func (c *Conn) Send(message any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	_, err = c.file.Write(text)
	return err
}

// Request waits for one; io.EOF: the other end is closed.
func (c *Conn) Request() (Request, error) {
	text, err := c.receive()
	if err != nil {
		return Request{}, err
	}
	return parseRequest(text)
}

// Reply waits for one; io.EOF: the other end is closed.
func (c *Conn) Reply() (r Reply, err error) {
	text, err := c.receive()
	if err != nil {
		return Reply{}, err
	}
	return r, decode(text, &r)
}

// receive returns a message whole: one that is too long is cut off, and so no
// message.
func (c *Conn) receive() ([]byte, error) {
	buffer := make([]byte, mostBytes)
	n, err := c.file.Read(buffer)
	if errors.Is(err, unix.ECONNRESET) { // it ended with messages unread
		err = io.EOF
	}
	return buffer[:n], err
}

// Close may be called again.
func (c *Conn) Close() { _ = c.file.Close() }
