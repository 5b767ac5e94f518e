package upstream

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"sluice/redir/socket"
)

// CheckMark finds out whether sockets may bear the mark, as every socket that
// sends does.
func CheckMark(mark uint32) error {
	if mark == 0 {
		return nil
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	err = os.NewSyscallError("setsockopt SO_MARK", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(mark)))
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("mark upstream sockets: %w: CAP_NET_ADMIN or CAP_NET_RAW is missing: %s", err, socket.CapsRemedy)
	}
	return err
}
