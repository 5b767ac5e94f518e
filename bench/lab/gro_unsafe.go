//go:build linux

package lab

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Structures of linux/ethtool.h and linux/if.h, as SIOCETHTOOL takes them.
type (
	ethtoolValue struct{ cmd, data uint32 }
	ethtoolIfreq struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer // *ethtoolValue; kept alive by the caller
		_    [16]byte       // the rest of the union
	}
)

// SetGRO does what `ethtool -K LINK gro on|off` does.
func (ns *Namespace) SetGRO(link string, on bool) error {
	return ns.ethtool(link, &ethtoolValue{cmd: unix.ETHTOOL_SGRO, data: map[bool]uint32{true: 1}[on]})
}

// GRO tells whether a link merges what it receives.
func (ns *Namespace) GRO(link string) (bool, error) {
	v := ethtoolValue{cmd: unix.ETHTOOL_GGRO}
	err := ns.ethtool(link, &v)
	return v.data != 0, err
}

func (ns *Namespace) ethtool(link string, v *ethtoolValue) error {
	return ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		defer unix.Close(fd)
		req := ethtoolIfreq{data: unsafe.Pointer(v)}
		copy(req.name[:unix.IFNAMSIZ-1], link)
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req)))
		if errno != 0 {
			return fmt.Errorf("%s: gro of %s: %w", ns.Name, link, errno)
		}
		return nil
	})
}
