package redir

// Engine is how the reactors make the system calls of a turn. They wait by epoll with
// each of them.
type Engine uint8

// The engines.
const (
	AutoEngine  Engine = iota // RingEngine where the kernel grants it, else EpollEngine
	EpollEngine               // each call by itself
	RingEngine                // those on sockets of which none waits by one: io_uring_enter(2)
)

// String is its name for --engine, and for who asks.
func (e Engine) String() string { return []string{"auto", "epoll", "io_uring"}[e] }
