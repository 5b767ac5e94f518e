// Package confine takes from the running program what it does not need: who
// takes it over by a fault of the relay can do little more than relay.
//
//	listeners are open, the account is changed
//	  │
//	  ▼
//	no_new_privs ─► capabilities ─► Landlock ─► seccomp      on every thread
//	                     │             │           │
//	     what sockets need alone       │       no program, namespace, mount,
//	                  the files that are       module, key, trace or clock;
//	                  reread, and no other     sockets of some families alone
//	  │
//	  ▼
//	ready: what holds, by name
//
// Each step is taken as far as the kernel grants it, and the ones that it does
// not grant are returned by name. A step that holds cannot be taken back.
//
// Glossary:
//
//   - needs: what the program goes on to use. Everything else is given up.
//   - filter: the seccomp program. It denies by name and lets the rest pass,
//     since what Go's runtime calls changes from version to version; calls that
//     are newer than the list do not exist for it (ENOSYS). What is denied fails
//     with an error and ends nothing: a gateway that dies of an unforeseen call
//     is worse than one whose call fails.
//   - call: a system call.
package confine
