package rules

import (
	"fmt"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// holder is the netlink socket of whoever writes our tables, and may own them.
// What it wrote, other sockets read too. One goroutine at a time uses it.
type holder struct {
	conn   *nftables.Conn
	socket *netlink.Conn
	can    ability
}

// newHolder opens the socket, in the network namespace of the calling thread.
// It does no more than most, whatever the kernel can.
func newHolder(most ability) (*holder, error) {
	h := &holder{}
	conn, err := nftables.New(nftables.AsLasting(), nftables.WithSockOptions(func(c *netlink.Conn) error {
		h.socket = c
		return largeBatches(c)
	}))
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	h.conn = conn
	if h.can, err = h.probe(most); err != nil {
		h.close()
		return nil, fmt.Errorf("rules: %w", err)
	}
	return h, nil
}

// create creates an empty table with flags, or adopts an orphan.
func (h *holder) create(name string, flags uint32) error {
	if err := h.batch(newTable(name, flags)); err != nil {
		return fmt.Errorf("own table inet %s: %w", name, explain(err))
	}
	return nil
}

// delete removes a table; it is no error when there is none.
func (h *holder) delete(name string) error {
	err := deleteTable(h.conn, name)
	h.drain()
	return err
}

// close ends the socket, with what it owns that does not persist. The kernel
// has let go when it returns.
func (h *holder) close() { _ = h.conn.CloseLasting() }

// batch sends messages as one transaction. It is for what the library cannot
// write: a table's flags.
func (h *holder) batch(messages ...netlink.Message) (err error) {
	begin := tableMessage(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil)
	end := tableMessage(unix.NFNL_MSG_BATCH_END, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil)
	all := append(append([]netlink.Message{begin}, messages...), end)
	if _, err := h.socket.SendMessages(all); err != nil {
		return err
	}
	defer h.drain()
	for range messages {
		if _, err := h.socket.Receive(); err != nil {
			return err
		}
	}
	return nil
}

// drain takes in the answers that a failed batch leaves behind, so that they
// are not taken for those of the next. The kernel has written them by the time
// that the batch is sent (nfnetlink_rcv_batch).
func (h *holder) drain() {
	raw, err := h.socket.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		for err == nil {
			_, _, err = unix.Recvfrom(int(fd), nil, unix.MSG_DONTWAIT|unix.MSG_TRUNC)
		}
	})
}
