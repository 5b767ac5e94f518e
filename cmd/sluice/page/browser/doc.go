// Package browser drives a real, headless Chromium, so that tests see a page as people
// do. Nothing but tests imports it.
//
//	Start ──► Browser ──Open(url)──► Tab: Wait, Click, Type, Size, Shot …
//	             │                    └─ Faults: what a console showed, and requests that led elsewhere
//	        Chromium, over a pipe
//
//	Bridge: 127.0.0.1:PORT ──► unix socket, since a browser speaks to no other
//
// Chromium resolves no names and reaches loopback alone.
//
// Glossary:
//
//   - expression: of JavaScript, evaluated in the page.
//   - fault: an error or warning in the console, an exception, a violation of the
//     page's policy, or a request to another host than the page's.
package browser
