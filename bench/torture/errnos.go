package torture

// fault is a system call and the errors that it is made to end with.
type fault struct {
	call   string
	errnos []string
}

// faults are the calls of sluice's paths, each with the errors that its man page
// names and some that others are known for. EAGAIN is not among those of data: the
// kernel says it only where it will tell of the change.
func faults() []fault {
	return []fault{
		{"accept4", []string{"ENOMEM", "ECONNABORTED", "EMFILE", "EINTR", "ENFILE", "ENOBUFS", "EPERM", "EPROTO", "ENETDOWN", "EHOSTUNREACH", "EIO"}},
		{"socket", []string{"ENOBUFS", "EMFILE", "ENFILE", "ENOMEM", "EACCES", "EPERM"}},
		{"connect", []string{"EADDRNOTAVAIL", "EPERM", "EAGAIN", "EACCES", "EADDRINUSE", "ENETUNREACH", "ECONNREFUSED", "ETIMEDOUT", "EINTR", "ENOBUFS", "EIO"}},
		{"bind", []string{"EADDRINUSE", "ENOMEM", "EACCES", "EADDRNOTAVAIL"}},
		{"setsockopt", []string{"ENOMEM", "ENOPROTOOPT", "EINVAL", "EPERM", "EDOM"}},
		{"getsockopt", []string{"ENOBUFS", "ENOPROTOOPT", "EINVAL", "ENOMEM"}},
		{"getsockname", []string{"ENOBUFS", "EINVAL", "ENOTCONN"}},
		{"getpeername", []string{"ENOBUFS", "ENOTCONN"}},
		{"epoll_ctl", []string{"ENOSPC", "ENOMEM", "EPERM", "EEXIST", "ENOENT"}},
		{"epoll_pwait,epoll_pwait2", []string{"EINTR", "ENOMEM", "EINVAL", "EBADF"}},
		{"recvfrom", []string{"ENOMEM", "EINTR", "ECONNRESET", "ETIMEDOUT", "ENOBUFS", "EHOSTUNREACH", "EIO"}},
		{"sendto", []string{"ENOBUFS", "EPERM", "ENOMEM", "EINTR", "ECONNRESET", "EPIPE", "EHOSTUNREACH", "EACCES", "EMSGSIZE", "EIO"}},
		{"read,readv", []string{"EINTR", "EIO", "ENOMEM"}},
		{"write,writev", []string{"EIO", "ENOSPC", "EINTR", "EDQUOT", "EPERM"}},
		{"splice", []string{"ENOMEM", "EINTR", "EINVAL", "ESPIPE", "EIO", "ECONNRESET", "EPIPE"}},
		{"pipe2", []string{"EMFILE", "ENFILE", "ENOMEM"}},
		{"fcntl", []string{"EPERM", "EINVAL", "ENOMEM", "EBUSY"}},
		{"ioctl", []string{"EINVAL", "ENOMEM", "EIO"}},
		{"shutdown", []string{"ENOTCONN", "ENOBUFS", "EINVAL", "EIO"}},
		{"recvmmsg", []string{"ENOMEM", "EINTR", "ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH", "EIO"}},
		{"sendmmsg", []string{"ENOBUFS", "EPERM", "ENOMEM", "EINTR", "EMSGSIZE", "EINVAL", "EIO", "ENETUNREACH", "ECONNREFUSED"}},
		{"recvmsg", []string{"ENOMEM", "EINTR", "ENOBUFS", "EIO"}},
		{"sendmsg", []string{"ENOBUFS", "EPERM", "ENOMEM", "EINTR", "EMSGSIZE", "EIO"}},
		{"io_uring_enter", []string{"ENOMEM", "EINTR", "EAGAIN", "EBUSY", "EPERM", "EINVAL", "EBADF"}},
	}
}

// maker is which sluice makes a call: by its flags.
type maker string

const (
	plain   maker = "--relay=auto --engine=epoll" // each call by itself
	splicer maker = "--relay=splice --engine=epoll"
	ringer  maker = "--relay=auto --engine=auto" // many by io_uring, where there is that
)

// makerOf is for which sluice a call is.
func makerOf(call string) maker {
	switch call {
	case "splice", "pipe2":
		return splicer
	case "io_uring_enter":
		return ringer
	}
	return plain
}

// startFaults are the calls of sluice's start, and the error that each ends with.
func startFaults() []fault {
	return []fault{
		{"socket", []string{"EMFILE", "EPERM"}},
		{"bind", []string{"EADDRINUSE", "EACCES"}},
		{"listen", []string{"EADDRINUSE", "ENOBUFS"}},
		{"setsockopt", []string{"EPERM", "ENOPROTOOPT"}},
		{"getsockname", []string{"ENOBUFS"}},
		{"epoll_create1", []string{"EMFILE", "ENOMEM"}},
		{"epoll_ctl", []string{"ENOSPC"}},
		{"eventfd2", []string{"EMFILE"}},
		{"sendto", []string{"EPERM", "ENOBUFS"}}, // netlink
		{"recvmsg", []string{"ENOBUFS"}},
		{"prlimit64", []string{"EPERM"}},
		{"io_uring_setup", []string{"ENOMEM", "EPERM"}}, // it does without
		{"io_uring_register", []string{"EINVAL"}},
	}
}
