package confine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"sluice/loop"
)

// foundRing is a ring of a reactor as one finds it who has taken the process over: its
// fd, and where its queues are, as io_uring_setup tells of one like it.
type foundRing struct {
	group  *loop.Group
	fd     int
	of     [30]uint32 // struct io_uring_params
	sqes   []byte
	queues []byte
}

// openRing makes a reactor with its ring, as sluice does before it is confined.
func openRing() (*foundRing, error) {
	r := &foundRing{}
	var err error
	if r.group, err = loop.NewGroup(1); err != nil {
		return nil, err
	}
	if err := r.group.UseRings(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, loop.RingRefusal(err))
	}
	links, _ := filepath.Glob("/proc/self/fd/*")
	for _, link := range links {
		if to, _ := os.Readlink(link); to == "anon_inode:[io_uring]" {
			r.fd, _ = strconv.Atoi(filepath.Base(link))
		}
	}
	const flags = 1<<6 | 1<<7
	r.of[2] = flags
	alike, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(r.group.Reactors()[0].Calls().MostCalls()), uintptr(unsafe.Pointer(&r.of)), 0)
	if errno != 0 || r.fd == 0 {
		return nil, errors.Join(errno, errors.New("the ring is not found"))
	}
	return r, unix.Close(int(alike))
}

// ways are those by the ring, and its own, which is open.
func (r *foundRing) ways(dir string) []way {
	const opRecv, opOpenAt, opSocket = 27, 18, 45
	config := append([]byte(filepath.Join(dir, "may/config")), 0) // which Landlock grants
	return []way{
		{"another ring", func() error { return r.call(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&[30]uint32{}))) }, unix.EPERM},
		{"a filter that is known for what it is", func() error {
			if err := loop.TryRing(); !strings.Contains(loop.RingRefusal(err).Why, "seccomp") {
				return fmt.Errorf("%w: %s", err, loop.RingRefusal(err))
			}
			return nil
		}, nil},
		{"a ring that is changed", func() error { return r.call(unix.SYS_IO_URING_REGISTER, uintptr(r.fd), 11) }, unix.EPERM},
		{"a file by the ring", func() error { return r.submit(opOpenAt, unix.AT_FDCWD, &config[0], 0) }, unix.EACCES},
		{"a socket by the ring", func() error { return r.submit(opSocket, unix.AF_PACKET, nil, 0) }, unix.EACCES},
		{"to receive by the ring", func() error { return r.submit(opRecv, -1, &config[0], 1) }, unix.EBADF},
	}
}

func (r *foundRing) call(number uintptr, a, b uintptr) error {
	if _, _, errno := unix.Syscall6(number, a, b, 0, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// submit writes a submission into the ring, past whoever made it, and returns what came
// of it.
func (r *foundRing) submit(op uint8, fd int32, addr *byte, length uint32) error {
	if r.queues == nil {
		var err error
		size := int(r.of[25] + r.of[1]*16) // with the array, which is behind the completions, it may be more
		if r.queues, err = unix.Mmap(r.fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
			return err
		}
		if r.sqes, err = unix.Mmap(r.fd, 0x10000000, int(r.of[0]*64), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
			return err
		}
	}
	word := func(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.queues[offset])) }
	sqTail, cqHead, cqTail := word(r.of[11]), word(r.of[20]), word(r.of[21])
	sqe := r.sqes[*sqTail%r.of[0]*64:][:64]
	clear(sqe)
	sqe[0] = op
	*(*int32)(unsafe.Pointer(&sqe[4])) = fd
	*(*uint64)(unsafe.Pointer(&sqe[16])) = uint64(uintptr(unsafe.Pointer(addr)))
	*(*uint32)(unsafe.Pointer(&sqe[24])) = length
	atomic.AddUint32(sqTail, 1)
	if err := r.call(unix.SYS_IO_URING_ENTER, uintptr(r.fd), 1); err != nil {
		return err
	}
	if atomic.LoadUint32(cqTail) == *cqHead {
		return errors.New("nothing came of it")
	}
	result := *(*int32)(unsafe.Pointer(&r.queues[r.of[25]+*cqHead%r.of[1]*16+8]))
	atomic.AddUint32(cqHead, 1)
	if result < 0 {
		return unix.Errno(-result)
	}
	return nil
}
