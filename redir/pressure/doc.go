// Package pressure tells when memory gets short, from what the kernel says of it:
//
//	memory.current, .high, .max, .stat   of the cgroup and those above it ─┐
//	tcp_mem, sockstat                    what all TCP sockets may hold    ─┤
//	meminfo                              the machine                      ─┼─► Watch.Look ──► State
//	memory.pressure                      time lost waiting for memory     ─┘
//
// Every file is opened once, at the start, and read again from its beginning: a
// process that may open nothing any more goes on. One that is not there is not
// looked at; with none at all, memory is never short.
//
// Glossary:
//
//   - gauge: one of the above; it reads how much of something is used, as a share
//     of what there is.
//   - tight: what holds memory without need had better give it back.
//   - short: nothing new may begin, or the OOM killer may come. Both last until
//     the share is well below where they began, so that they do not flutter.
//   - reclaimable: page cache and kernel caches, which the kernel takes back by
//     itself; they do not count as used.
package pressure
