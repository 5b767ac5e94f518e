package compare

import "testing"

// Two peers of one name could not be told apart.
func TestNames(t *testing.T) {
	two := func(a, b string) []Variant { return []Variant{{Name: a}, {Name: b}} }
	for _, o := range []Options{
		{Variants: two("a", "a")}, {Variants: two("a", Direct), Kinds: []string{Direct}},
		{Kinds: []string{Direct, Direct}}, {Base: []string{"haproxi"}},
	} {
		if o.checkNames() == nil {
			t.Errorf("%+v passes", o)
		}
	}
	if err := (Options{Variants: two("a", "b"), Kinds: Kinds(), Base: []string{"b", HAProxy}}).checkNames(); err != nil {
		t.Error(err)
	}
}
