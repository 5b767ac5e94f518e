package loop

// slots maps fd numbers to handlers. fd numbers are small and dense, so a
// slice serves. Owned by one reactor.
type slots struct {
	all  []slot
	live int
}

type slot struct {
	handler Handler
	seq     uint32
}

// put registers h for fd and returns the tag that names this registration.
func (s *slots) put(fd int, h Handler) (tag uint64) {
	if fd >= len(s.all) {
		grown := make([]slot, max(fd+1, 2*len(s.all), 64))
		copy(grown, s.all)
		s.all = grown
	}
	s.all[fd].handler = h
	s.live++
	return uint64(s.all[fd].seq)<<32 | uint64(uint32(fd))
}

// drop ends fd's registration; tags given for it go stale.
func (s *slots) drop(fd int) bool {
	if fd < 0 || fd >= len(s.all) || s.all[fd].handler == nil {
		return false
	}
	s.all[fd].handler = nil
	s.all[fd].seq++
	s.live--
	return true
}

// get returns the handler that tag was given for, or nil when it is stale.
func (s *slots) get(tag uint64) Handler {
	fd := uint32(tag)
	if fd >= uint32(len(s.all)) || s.all[fd].seq != uint32(tag>>32) {
		return nil
	}
	return s.all[fd].handler
}
