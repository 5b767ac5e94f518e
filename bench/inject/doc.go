// Package inject makes system calls of a program fail, one kind at a time, while
// it runs: an accept4 that says EMFILE, a splice that says EIO. The program needs
// no change and knows nothing of it.
//
//	program ── system call ──► kernel: filter ── not watched ──────────────► carried out
//	                                      └───── watched ──► Injector ──┬──► carried out
//	                                                                    └──► fails with the errno of the fault
//
// The filter is a seccomp filter whose user notifications the Injector answers
// (seccomp_unotify(2), Linux 5.5). Beside strace's injection it can change the
// fault while the program runs, and costs some 10 us a watched call instead of
// some 100 us for each.
//
// The program is started by way of this executable, which puts the filter on itself
// and then becomes the program (init): a package that imports inject needs nothing
// of its own for that.
//
// Glossary:
//
//   - watched call: one whose every use the Injector is asked about.
//   - fault: which watched call fails, how, and how many times.
package inject
