package loop

import "errors"

// How a ring is set up (io_uring_setup(2)). Nothing that is submitted ever waits, so
// that what shapes how waiting requests complete (SINGLE_ISSUER, DEFER_TASKRUN) makes
// no difference; it was measured.
const (
	// ringFlags are IORING_SETUP_R_DISABLED, since restrictions are for a ring that is
	// disabled yet, and SUBMIT_ALL of Linux 5.18: one that fails does not keep the
	// rest from being submitted.
	ringFlags = 1<<6 | 1<<7

	registerEnable   = 12 // IORING_REGISTER_ENABLE_RINGS
	registerRestrict = 11 // IORING_REGISTER_RESTRICTIONS, of Linux 5.10
	allowOp          = 1  // IORING_RESTRICTION_SQE_OP
)

// The operations of a ring, and there are no others (IORING_OP_*).
const (
	opSendMsg = 9
	opRecvMsg = 10
	opSend    = 26
	opRecv    = 27
)

// newRing makes a ring that can do no more than send and receive: whoever gets hold of
// it in a confined process gains nothing by it.
func newRing(n int) (*ring, error) {
	r, err := setupRing(n)
	if err != nil {
		return nil, err
	}
	ops := []ringRestriction{{op: allowOp, which: opSendMsg}, {op: allowOp, which: opRecvMsg}, {op: allowOp, which: opSend}, {op: allowOp, which: opRecv}}
	if err := errors.Join(r.register(registerRestrict, ops), r.register(registerEnable, nil), r.enter()); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// TryRing makes a ring as UseRings does, and gives it back.
func TryRing() error {
	r, err := newRing(mostCalls)
	if err == nil {
		r.close()
	}
	return err
}
