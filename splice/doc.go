// Package splice moves bytes between two stream sockets, with half-close and back-pressure: copy first, splice through pooled
// pipes when the flow proves to be bulk.
package splice
