package outbound

import (
	"errors"
	"testing"

	"sluice/redir/resolve"
)

// opened is a set of valid specs.
func opened(t *testing.T, before *Set, specs ...Spec) *Set {
	t.Helper()
	if err := Validate(specs); err != nil {
		t.Fatal(err)
	}
	s, err := Open(specs, before, func(to resolve.Target) *resolve.Dests { return resolve.Fixed(to.AddrPort()) }, func(*Outbound, bool, error) {})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fail takes an outbound down.
func fail(o *Outbound) {
	for range failuresDown {
		o.Failed(1, errors.New("refused"))
	}
}

// TestReload asserts what is the same afterwards.
func TestReload(t *testing.T) {
	specs := []Spec{group("outer", "g"), group("g", "a"), proxy("a"), proxy("b")}
	before := opened(t, nil, specs...)
	fail(before.Tagged("b"))
	after := opened(t, before, specs...)
	for i, o := range after.All {
		if o != before.All[i] {
			t.Errorf("%s is another", o.Tag)
		}
	}
	specs[2].User = "somebody"
	after = opened(t, before, specs...)
	for i, o := range after.All {
		if same := o == before.All[i]; same != (o.Tag == "b") {
			t.Errorf("%s is the same: %v", o.Tag, same)
		}
	}
	if !after.Tagged("b").IsDown() || after.Tagged("outer").members.all[0] != after.Tagged("g") {
		t.Error("what was known is lost, or a group has members of before")
	}
}
