// Package loop waits for the kernel and calls handlers.
//
//	            Group
//	  ┌───────────┴───────────┐
//	Reactor 0              Reactor 1            one OS thread each
//	  │ engine (epoll),       │ engine
//	  │   and one for streams │
//	  │ slots  fd -> Handler  │ slots
//	  │ timers                │ timers
//	  │ posted functions      │ posted functions
//	  │ retired fds ──────────┴── closed once no reactor can still use them
//
// A reactor lives in turns. Each turn waits for edges, calls the handler of
// each, calls for a while those who asked to be called again, fires timers, runs
// posted functions, and at last calls the turn-end hooks, which send what the
// turn gathered. Who has much to do asks to be called again after a piece of it, so
// that who has little waits for one short turn at most.
//
// A reactor has two engines: it waits by epoll(7) in any case, and makes calls by a ring
// where the group has them. The ring has nothing under way from one turn to the next: no
// multishot receives, no buffers that the kernel chooses. What it saves is the entry of
// each system call, which is what io_uring saves at all on sockets that are ready; and
// readiness, closing, resets and back-pressure stay what they are without it, so both
// engines run one and the same code.
//
// Glossary:
//
//   - reactor: an event loop on one locked OS thread. Everything registered
//     with it is called on that thread only.
//   - turn: one pass of a reactor from one wait to the next.
//   - edge: a change that the kernel reports once (EPOLLET, epoll(7)). A
//     handler works until EAGAIN, or asks with Again to be called once more.
//   - slot: the place of one registered fd; its sequence number lets events
//     of an earlier owner of the fd number be dropped.
//   - stream: an fd whose edges need no haste. While streams move, theirs are
//     gathered for a period and served together.
//   - busy poll: to look for events again and again for a while before
//     sleeping.
//   - retire: give up an fd that other reactors may still be using in the
//     turn that they are in; it is closed when each has finished that turn.
//     Retired ones are counted, and a reactor that has retired its share waits for
//     the others after its turn.
//   - pass on: to retire an fd to an heir, who has it for another use instead of
//     its being closed.
//   - calls: system calls on sockets, of which none waits, that are gathered and made
//     by one, where there are rings (Group.UseRings); else each is made as it comes.
//   - ring: an io_uring(7), which makes calls.
//   - batch: several datagrams received or sent by one system call. Its slots
//     each hold one message: a datagram, or a run.
//   - parcel: the messages of a batch that leave by one socket.
//   - run: datagrams of equal size from one sender to one receiver, the last
//     may be shorter, that the kernel takes or hands over as one message
//     (UDP_GRO in, UDP_SEGMENT out, udp(7)).
package loop
