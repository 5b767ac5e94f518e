package loop

import "testing"

func TestSlotsDropStaleTags(t *testing.T) {
	var s slots
	first := s.put(7, nopHandler{})
	if s.get(first) == nil {
		t.Fatal("handler not found")
	}
	if !s.drop(7) || s.drop(7) {
		t.Fatal("drop must report the first time only")
	}
	second := s.put(7, nopHandler{})
	if s.get(first) != nil {
		t.Fatal("a stale tag found the fd's next owner")
	}
	if s.get(second) == nil {
		t.Fatal("second owner not found")
	}
	if s.get(1<<64-1) != nil || s.drop(-1) || s.drop(1000) {
		t.Fatal("a tag or fd that was never given must find nothing")
	}
}

type nopHandler struct{}

func (nopHandler) Ready(Events) {}

func TestSlotsGrowByPages(t *testing.T) {
	var s slots
	fds := []int{3 * slotsPerPage, 0, slotsPerPage - 1, slotsPerPage, 20000}
	tags := make(map[int]uint64)
	for _, fd := range fds {
		tags[fd] = s.put(fd, numbered(fd))
	}
	for _, fd := range fds {
		if s.get(tags[fd]) != numbered(fd) {
			t.Errorf("fd %d: found %v", fd, s.get(tags[fd]))
		}
	}
	if s.drop(2*slotsPerPage) || s.drop(1) {
		t.Error("dropped what was never put")
	}
}

type numbered int

func (numbered) Ready(Events) {}
