//go:build linux && race

package e2e

// raceEnabled tells that the race detector watches these tests.
const raceEnabled = true
