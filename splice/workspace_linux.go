package splice

// Workspace is what one reactor lends to all its relays: the copy buffer, the pipe pool, the free residue buffers and the counters.
// It belongs to that reactor's goroutine: no locks, and every relay started with it is pumped there.
type Workspace struct {
	mode     Mode
	budget   uint64 // bytes one direction may move per Pump
	buffer   []byte // every copied byte passes here; holds nothing between two reads
	residues residuePool
	pipes    pipePool
	copied   uint64 // bytes
	spliced  uint64 // bytes
	option   option
	left     Allowance // of the relay that is being pumped
	together together
}

// NewWorkspace allocates the copy buffer. Pipes and residue buffers come when a relay needs them.
func NewWorkspace(c Config) *Workspace {
	c = c.withDefaults()
	w := &Workspace{
		mode:     c.Mode,
		budget:   uint64(c.Budget),
		buffer:   make([]byte, c.BufferSize),
		residues: residuePool{largest: c.BufferSize},
		pipes:    newPipePool(min(c.PipeSize, pipeSizeLimit()), c.MaxPipes),
	}
	w.together.init(c.Calls, c.BufferSize)
	return w
}

// much is in bytes: more than a message.
func (w *Workspace) much() uint64 { return uint64(len(w.buffer) / 4) }

// Trim closes the pipes and forgets the buffers that were idle since the last Trim, and gives back what MoveTogether has used. A reactor calls it every few seconds.
func (w *Workspace) Trim() {
	w.pipes.trim()
	w.residues.trim()
	w.together.trim()
}

// SetMaxPipes bounds the pipes at once, idle ones included; of those beyond a lower bound, lent ones are closed when they come back.
func (w *Workspace) SetMaxPipes(n int) { w.pipes.setMost(max(1, n)) }

// GiveUpIdle closes every idle pipe, for somebody who needs the fds, and tells whether there was one.
func (w *Workspace) GiveUpIdle() bool { return w.pipes.closeAllIdle() }

// Stalled is how many directions hold bytes that their destination has no room for.
func (w *Workspace) Stalled() int { return w.residues.lent + w.pipes.open - w.pipes.idle() }

// Close closes the idle pipes. Relays that still hold one close it in Release; the Workspace is not to be used for new ones.
func (w *Workspace) Close() {
	w.pipes.close()
	w.together.close()
}

// Stats is a snapshot, to be taken on the owner's goroutine.
func (w *Workspace) Stats() Stats {
	return Stats{
		Copied:       w.copied,
		Spliced:      w.spliced,
		PipesIdle:    w.pipes.idle(),
		PipesHeld:    w.pipes.open - w.pipes.idle(),
		PipeSize:     w.pipes.granted,
		PipesEver:    w.pipes.ever,
		PipesDenied:  w.pipes.denied,
		PipeMisses:   w.pipes.misses,
		Residues:     w.residues.lent,
		ResidueBytes: w.residues.lentBytes,
	}
}
