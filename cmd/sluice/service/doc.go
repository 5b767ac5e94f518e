// Package service is how sluice lives as a service: what it tells the service
// manager, and what it gives up once it is ready.
//
//	start (root, or the unit's capabilities)
//	  │  listeners open
//	  ▼
//	Account.Become: every thread another user (then package confine), no way back
//	  │  rules installed, by the keeper (package keep)
//	  ▼
//	READY=1 ──► WATCHDOG=1 while the reactors turn ──► STOPPING=1
//	                 │ SIGHUP: RELOADING=1 … READY=1
//
// Glossary:
//
//   - notifier: the sender of sd_notify(3) messages. The protocol is a few
//     lines of text in one datagram; no library is needed.
//   - account: the user that sluice becomes.
package service
