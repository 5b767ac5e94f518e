package doctor

import (
	"bytes"
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Commands and sizes of linux/ethtool.h.
const (
	ethtoolGStrings  = 0x1b
	ethtoolGSSetInfo = 0x37
	ethtoolGFeatures = 0x3a
	stringsFeatures  = 4  // ETH_SS_FEATURES
	stringLen        = 32 // ETH_GSTRING_LEN
	maxFeatures      = 1024
)

// interfaceFeatures reads an interface's offload features, by the names that
// ethtool -k knows, and whether each is on. It is empty when they cannot be
// read.
func interfaceFeatures(name string) map[string]bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	native := binary.NativeEndian

	info := make([]byte, 20) // cmd, reserved, mask u64, count
	native.PutUint32(info, ethtoolGSSetInfo)
	native.PutUint64(info[8:], 1<<stringsFeatures)
	if !ethtool(fd, name, info) {
		return nil
	}
	count := int(native.Uint32(info[16:]))
	if count == 0 || count > maxFeatures {
		return nil
	}
	names := make([]byte, 12+count*stringLen) // cmd, set, count, names
	native.PutUint32(names, ethtoolGStrings)
	native.PutUint32(names[4:], stringsFeatures)
	native.PutUint32(names[8:], uint32(count))
	blocks := (count + 31) / 32
	states := make([]byte, 8+blocks*16) // cmd, blocks, {available, requested, active, never changed}
	native.PutUint32(states, ethtoolGFeatures)
	native.PutUint32(states[4:], uint32(blocks))
	if !ethtool(fd, name, names) || !ethtool(fd, name, states) {
		return nil
	}
	on := map[string]bool{}
	for i := range count {
		label, _, _ := bytes.Cut(names[12+i*stringLen:12+(i+1)*stringLen], []byte{0})
		active := native.Uint32(states[8+i/32*16+8:])
		on[string(label)] = active&(1<<(i%32)) != 0
	}
	return on
}

// ethtool runs one command, whose buffer the kernel reads and fills.
func ethtool(fd int, name string, buffer []byte) bool {
	var request struct { // struct ifreq
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte // the rest of the union
	}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	request.data = unsafe.Pointer(&buffer[0])
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	return errno == 0
}
