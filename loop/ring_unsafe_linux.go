package loop

import (
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The layouts below are those of include/uapi/linux/io_uring.h.

// ringParams is struct io_uring_params.
type ringParams struct {
	sqEntries, cqEntries uint32
	flags                uint32
	sqThreadCPU          uint32
	sqThreadIdle         uint32
	features             uint32
	wqFD                 uint32
	_                    [3]uint32
	sq                   ringOffsets // of the submission queue: flags, dropped, array at its end
	cq                   ringOffsets // of the completion queue: overflow, cqes, flags at its end
}

// ringOffsets is struct io_sqring_offsets, or io_cqring_offsets.
type ringOffsets struct {
	head, tail, mask, entries uint32
	rest                      [3]uint32
	_                         uint32
	userAddr                  uint64
}

// submission is struct io_uring_sqe.
type submission struct {
	op      uint8
	flags   uint8
	ioprio  uint16
	fd      int32
	off     uint64
	addr    uint64
	length  uint32
	opFlags uint32
	user    uint64
	_       [3]uint64
}

// completion is struct io_uring_cqe.
type completion struct {
	user  uint64
	res   int32
	flags uint32
}

// ringRestriction is struct io_uring_restriction.
type ringRestriction struct {
	op    uint16
	which uint8 // an operation of submissions or of io_uring_register(2), or flags
	_     [13]byte
}

const (
	sizeOfSubmission = int(unsafe.Sizeof(submission{}))
	sizeOfCompletion = int(unsafe.Sizeof(completion{}))
	offsetOfSQEs     = 0x10000000 // IORING_OFF_SQES
)

// ring is an io_uring(7), mapped. It belongs to one thread.
type ring struct {
	fd             int
	queues, sqes   []byte // mapped
	sqTail, cqHead *uint32
	cqTail         *uint32
	sqMask, cqMask uint32
	submissions    []submission
	completions    []completion
}

// setupRing makes a ring for n submissions, a power of two, that is disabled yet.
func setupRing(n int) (*ring, error) {
	p := ringParams{flags: ringFlags}
	fd, _, errno := unix.RawSyscall(unix.SYS_IO_URING_SETUP, uintptr(n), uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("io_uring_setup", errno)
	}
	r := &ring{fd: int(fd)}
	if err := r.mapQueues(&p); err != nil {
		r.close()
		return nil, os.NewSyscallError("mmap", err)
	}
	return r, nil
}

// mapQueues maps what io_uring_setup has made: both queues at once
// (IORING_FEAT_SINGLE_MMAP, Linux 5.4), and the submissions.
func (r *ring) mapQueues(p *ringParams) (err error) {
	const array, cqes = 2, 1 // in rest of the offsets
	size := max(int(p.sq.rest[array])+int(p.sqEntries)*4, int(p.cq.rest[cqes])+int(p.cqEntries)*sizeOfCompletion)
	const prot, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_POPULATE
	if r.queues, err = unix.Mmap(r.fd, 0, size, prot, flags); err != nil {
		return err
	}
	if r.sqes, err = unix.Mmap(r.fd, offsetOfSQEs, int(p.sqEntries)*sizeOfSubmission, prot, flags); err != nil {
		return err
	}
	word := func(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.queues[offset])) }
	r.sqTail, r.cqHead, r.cqTail = word(p.sq.tail), word(p.cq.head), word(p.cq.tail)
	r.sqMask, r.cqMask = *word(p.sq.mask), *word(p.cq.mask)
	r.submissions = unsafe.Slice((*submission)(unsafe.Pointer(&r.sqes[0])), p.sqEntries)
	r.completions = unsafe.Slice((*completion)(unsafe.Pointer(&r.queues[p.cq.rest[cqes]])), p.cqEntries)
	for i, order := 0, unsafe.Slice(word(p.sq.rest[array]), p.sqEntries); i < len(order); i++ {
		order[i] = uint32(i) // submissions are taken in the order of their places
	}
	return nil
}

// register is io_uring_register(2).
func (r *ring) register(op int, restrictions []ringRestriction) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_REGISTER, uintptr(r.fd), uintptr(op),
		uintptr(unsafe.Pointer(unsafe.SliceData(restrictions))), uintptr(len(restrictions)), 0, 0)
	if errno != 0 {
		return os.NewSyscallError("io_uring_register", errno)
	}
	return nil
}

// enter is io_uring_enter(2) with nothing to do: a filter that forbids the call does so
// now, and not in each turn.
func (r *ring) enter() error {
	if _, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), 0, 0, 0, 0, 0); errno != 0 {
		return os.NewSyscallError("io_uring_enter", errno)
	}
	return nil
}

// place is that of the submission which is i places behind the queue's end.
func (r *ring) place(i int) *submission { return &r.submissions[(*r.sqTail+uint32(i))&r.sqMask] }

// submit hands the next n submissions over, and returns how many the kernel took.
// Those that do not wait are complete then.
func (r *ring) submit(n int) (int, syscall.Errno) {
	atomic.StoreUint32(r.sqTail, *r.sqTail+uint32(n))
	taken, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), uintptr(n), 0, 0, 0, 0)
	if errno != 0 {
		taken = 0
	}
	if left := uint32(n) - uint32(taken); left > 0 {
		atomic.StoreUint32(r.sqTail, *r.sqTail-left) // nobody else looks: the kernel reads them in a call alone
	}
	return int(taken), errno
}

// complete puts what was completed into results, by the user data of submissions, which
// begins with first.
func (r *ring) complete(results []int32, first uint64) {
	head, tail := *r.cqHead, atomic.LoadUint32(r.cqTail)
	for ; head != tail; head++ {
		c := &r.completions[head&r.cqMask]
		if i := c.user - first; i < uint64(len(results)) {
			results[i] = c.res
		}
	}
	atomic.StoreUint32(r.cqHead, head)
}

func (r *ring) close() {
	for _, mapped := range [][]byte{r.queues, r.sqes} {
		if mapped != nil {
			unix.Munmap(mapped)
		}
	}
	r.queues, r.sqes = nil, nil
	if r.fd >= 0 {
		unix.Close(r.fd)
		r.fd = -1
	}
}

// direct makes the call of a submission by a system call of its own, until no signal
// interrupts it.
func (s *submission) direct() int32 {
	trap, a3, a4 := uintptr(unix.SYS_RECVFROM), uintptr(s.length), uintptr(s.opFlags)
	switch s.op {
	case opSend:
		trap = unix.SYS_SENDTO
	case opSendMsg:
		trap, a3, a4 = unix.SYS_SENDMSG, a4, 0
	case opRecvMsg:
		trap, a3, a4 = unix.SYS_RECVMSG, a4, 0
	}
	for {
		n, _, errno := unix.RawSyscall6(trap, uintptr(s.fd), uintptr(s.addr), a3, a4, 0, 0)
		switch errno {
		case 0:
			return int32(n)
		case unix.EINTR:
		default:
			return -int32(errno)
		}
	}
}
