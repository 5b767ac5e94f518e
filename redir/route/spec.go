package route

// Spec is what an operator says of routes.
type Spec struct {
	Rules []Rule
	Final string // tag of an outbound; "": the first one's
}

// Rule is conditions and what becomes of flows that meet them.
type Rule struct {
	Outbound string // tag; "": that of Final
	Port     uint16 // instead of the destination's own; 0: that
}
