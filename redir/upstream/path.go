package upstream

// Path is how sockets towards destinations leave the machine.
type Path struct {
	Mark       uint32 // SO_MARK, 0 for none
	Device     string // SO_BINDTODEVICE: an interface or a VRF; "": wherever the routes lead
	Congestion string // TCP_CONGESTION; "": the namespace's default
}
