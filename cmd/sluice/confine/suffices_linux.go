package confine

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Suffices tells whether do succeeds with these capabilities alone, as far as
// the process has them. Only the calling thread lacks the others meanwhile.
func (s Set) Suffices(do func() error) bool {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var before [2]unix.CapUserData
	if unix.Capget(&header, &before[0]) != nil {
		return false
	}
	narrow := before
	narrow[0].Effective = before[0].Permitted & uint32(s)
	narrow[1].Effective = before[1].Permitted & uint32(s>>32)
	if unix.Capset(&header, &narrow[0]) != nil {
		return false
	}
	err := do()
	return unix.Capset(&header, &before[0]) == nil && err == nil
}
