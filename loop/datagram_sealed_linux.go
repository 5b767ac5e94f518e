package loop

// parcel is the messages of a batch that leave by one socket.
type parcel struct {
	fd     int
	gso    *GSO
	end    int // the batch's messages before this one are its, or those of parcels before
	result SendResult
}

// sealed is how many messages are.
func (b *SendBatch) sealed() int {
	if b.waiting == 0 {
		return 0
	}
	return b.parcels[b.waiting-1].end
}

// Seal makes a parcel of what was pushed since the last one: it leaves by fd, with
// SendSealed, and gso learns what the kernel refuses.
func (b *SendBatch) Seal(fd int, gso *GSO) {
	b.encode(b.sealed())
	b.parcels = append(b.parcels[:b.waiting], parcel{fd: fd, gso: gso, end: b.n})
	b.waiting++
}

// SendSealed sends each parcel as Send does, all by one system call where there are
// calls, and empties the batch. Where all goes well, what leaves by one socket does so
// in the order in which it was pushed.
func (b *SendBatch) SendSealed(calls *Calls) {
	if calls != nil && b.waiting > 1 {
		b.sendTogether(calls)
	} else {
		at := 0
		for i := range b.parcels[:b.waiting] {
			p := &b.parcels[i]
			b.sendRange(p.fd, at, p.end, p.gso, &p.result)
			at = p.end
		}
	}
	b.n, b.iovn, b.waiting = 0, 0, 0
}

// Sent is what became of a parcel, of those that the last SendSealed has sent in the
// order in which they were sealed; until the next Seal.
func (b *SendBatch) Sent(parcel int) *SendResult { return &b.parcels[parcel].result }

// sendTogether sends the parcels by as few system calls as there can be. What has failed
// there is sent again by the way that knows why a message fails, and what to do.
func (b *SendBatch) sendTogether(calls *Calls) {
	total, of := b.sealed(), 0
	for at := 0; at < total; {
		end := min(total, at+calls.MostCalls())
		for i, to := at, of; i < end; i++ {
			to = b.parcelOf(i, to)
			calls.SendMsg(b.parcels[to].fd, &b.headers[i].header)
		}
		calls.Make()
		for first := at; at < end; at++ {
			of = b.parcelOf(at, of)
			p := &b.parcels[of]
			if _, errno := calls.Result(at - first); errno == 0 {
				p.result.took(&b.runs[at])
			} else {
				b.sendRange(p.fd, at, at+1, p.gso, &p.result)
			}
		}
	}
}

// parcelOf is the parcel that a message belongs to, from that of one before on.
func (b *SendBatch) parcelOf(message, parcel int) int {
	for b.parcels[parcel].end <= message {
		parcel++
	}
	return parcel
}
