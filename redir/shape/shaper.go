package shape

// Shaper is how fast one client may be, both ways. It is shared by all that the
// client has, on whichever worker.
type Shaper struct {
	limit    Limit
	Up, Down Bucket
}

// New returns a shaper of which nothing is taken; nil where the limit bounds nothing.
func New(l Limit) *Shaper {
	if !l.Bounds() {
		return nil
	}
	s := &Shaper{limit: l}
	s.Up.init(l.Up)
	s.Down.init(l.Down)
	return s
}

// Limit is what it was made for; the zero Limit of a nil shaper.
func (s *Shaper) Limit() Limit {
	if s == nil {
		return Limit{}
	}
	return s.limit
}

// Held reports whether a way of it is; false for a nil shaper.
func (s *Shaper) Held(now int64) bool { return s != nil && (s.Up.Held(now) || s.Down.Held(now)) }

// Owes reports whether a way of it does; false for a nil shaper.
func (s *Shaper) Owes(now int64) bool { return s != nil && (s.Up.Owes(now) || s.Down.Owes(now)) }
