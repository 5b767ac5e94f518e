package firewall

// Amount is how many of the packets in mind do something. Few are those that
// name one port or address among many, and Most all but few.
type Amount uint8

// The amounts, in order.
const (
	None Amount = iota
	Few
	Some
	Most
	All
)

// rest is what is left when so many are gone.
func (a Amount) rest() Amount { return All - a }

// without is what is left of a when those of them that meet a condition go.
func (a Amount) without(condition Amount) Amount { return min(a, condition.rest()) }

// share is the amount of a part among a whole.
func share(part, whole float64) Amount {
	switch {
	case part <= 0:
		return None
	case part >= whole:
		return All
	case part < whole/16:
		return Few
	case part > whole-whole/16:
		return Most
	}
	return Some
}
