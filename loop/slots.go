package loop

// slots maps fd numbers to handlers. fd numbers are small and dense, so an
// array serves; it grows by pages, which leaves no outgrown copy behind.
// Owned by one reactor.
type slots struct {
	pages []*slotPage
}

// slotsPerPage makes a page 10.5 KiB, which fits a size class of Go's allocator.
const slotsPerPage = 512

type slotPage struct {
	handlers [slotsPerPage]Handler
	seqs     [slotsPerPage]uint32 // how many registrations of the fd have ended
	asked    [slotsPerPage]bool   // for another call
}

// put registers h for fd and returns the tag that names this registration.
func (s *slots) put(fd int, h Handler) (tag uint64) {
	page := s.grow(fd / slotsPerPage)
	i := fd % slotsPerPage
	page.handlers[i] = h
	return page.tag(fd, i)
}

// hand gives fd's present registration to another handler; false where it has none.
func (s *slots) hand(fd int, h Handler) bool {
	page, i := s.page(uint32(fd))
	if page == nil || page.handlers[i] == nil {
		return false
	}
	page.handlers[i] = h
	return true
}

// tag names the present registration of fd, whose place is i.
func (p *slotPage) tag(fd, i int) uint64 { return uint64(p.seqs[i])<<32 | uint64(uint32(fd)) }

// grow makes room up to page p, and returns it.
func (s *slots) grow(p int) *slotPage {
	for p >= len(s.pages) {
		s.pages = append(s.pages, nil)
	}
	if s.pages[p] == nil {
		s.pages[p] = new(slotPage)
	}
	return s.pages[p]
}

// page is the page of fd, and fd's place there; nil if there is none yet.
func (s *slots) page(fd uint32) (*slotPage, int) {
	p := fd / slotsPerPage
	if p >= uint32(len(s.pages)) {
		return nil, 0
	}
	return s.pages[p], int(fd % slotsPerPage)
}

// tag is that of fd's present registration.
func (s *slots) tag(fd int) (tag uint64, ok bool) {
	page, i := s.page(uint32(fd))
	if page == nil || page.handlers[i] == nil {
		return 0, false
	}
	return page.tag(fd, i), true
}

// drop ends fd's registration; tags given for it go stale.
func (s *slots) drop(fd int) bool {
	page, i := s.page(uint32(fd))
	if page == nil || page.handlers[i] == nil {
		return false
	}
	page.handlers[i] = nil
	page.seqs[i]++
	page.asked[i] = false
	return true
}

// ask notes that fd asked for another call, and returns the tag of its
// registration; not ok where it has none, or has asked already.
func (s *slots) ask(fd int) (tag uint64, ok bool) {
	page, i := s.page(uint32(fd))
	if page == nil || page.handlers[i] == nil || page.asked[i] {
		return 0, false
	}
	page.asked[i] = true
	return page.tag(fd, i), true
}

// answer is get for a tag that ask gave: the fd may ask anew.
func (s *slots) answer(tag uint64) Handler {
	h := s.get(tag)
	if h != nil {
		page, i := s.page(uint32(tag))
		page.asked[i] = false
	}
	return h
}

// get returns the handler that tag was given for, or nil when it is stale.
func (s *slots) get(tag uint64) Handler {
	page, i := s.page(uint32(tag))
	if page == nil || page.seqs[i] != uint32(tag>>32) {
		return nil
	}
	return page.handlers[i]
}
