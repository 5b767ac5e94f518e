package udp

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"sluice/redir/socket"
)

// CheckRights finds out at the start whether what traffic will need is allowed:
// replies from a port that another service holds leave through raw sockets;
// without CAP_NET_RAW each of them would be dropped.
func CheckRights() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err == nil {
		return unix.Close(fd)
	}
	err = os.NewSyscallError("socket", err)
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("open a raw socket for UDP replies: %w: CAP_NET_RAW is missing: %s", err, socket.CapsRemedy)
	}
	return err
}
