package prefix

import (
	"iter"
	"slices"
)

// span is a range of one family's addresses.
type span[A address[A]] struct{ low, high A }

// edgesOf are those of the spans, which it sorts. Nothing lies behind the last
// address of all, and so it has no edge behind it.
func edgesOf[A address[A]](spans []span[A]) []A {
	slices.SortFunc(spans, func(a, b span[A]) int {
		return int(b.low.before(a.low)) - int(a.low.before(b.low))
	})
	var first A
	edges := make([]A, 0, 2*len(spans))
	for _, s := range spans {
		end := s.high.next()
		n := len(edges)
		switch {
		case n&1 == 1: // the range before has no end
			return slices.Clip(edges)
		case n > 0 && edges[n-1].before(s.low) == 0: // it reaches into that one, or up to it
			edges[n-1] = later(edges[n-1], end)
		default:
			edges = append(edges, s.low, end)
		}
		if edges[len(edges)-1] == first {
			edges = edges[:len(edges)-1]
		}
	}
	return slices.Clip(edges)
}

// later is the end that lies further behind; the first address of all as an end
// is behind the last one.
func later[A address[A]](a, b A) A {
	if a.previous().before(b.previous()) == 1 {
		return b
	}
	return a
}

// spansOf are the ranges between edges.
func spansOf[A address[A]](edges []A) iter.Seq[span[A]] {
	return func(yield func(span[A]) bool) {
		var end A // of a range without an end: the first address
		for i := 0; i < len(edges); i += 2 {
			behind := end
			if i+1 < len(edges) {
				behind = edges[i+1]
			}
			if !yield(span[A]{edges[i], behind.previous()}) {
				return
			}
		}
	}
}
