package orders

// State is where an order stands. It is computed from the record's facts by [StateOf], never stored.
type State string

// The states of an order.
const (
	Accepted       State = "accepted"
	Resolving      State = "resolving"
	Submitting     State = "submitting"
	Unknown        State = "unknown"
	Submitted      State = "submitted"
	Backordered    State = "backordered"
	StateCompleted State = "completed"
	StatePartial   State = "partial"
	StateFailed    State = "failed"
)

// States lists every state.
func States() []State {
	return []State{Accepted, Resolving, Submitting, Unknown, Submitted, Backordered, StateCompleted, StatePartial, StateFailed}
}

// Final reports whether a generation in this state has ended.
func (s State) Final() bool { return s == StateCompleted || s == StatePartial || s == StateFailed }

// StateOf computes the state of a record from its facts. A claim that is still open comes before a POST whose
// outcome is unknown, that before an order still running at Bandwidth, and that before what is still to be bought.
func StateOf(r *Record) State {
	if r.Outcome != nil {
		return State(r.Outcome.Outcome)
	}
	if _, post := r.openPost(); post != nil {
		return Submitting
	}
	if rel := r.lastRelease(); rel != nil {
		switch {
		case rel.Post.State == PostOpen:
			return Submitting
		case rel.Post.State == PostUnknown:
			return Unknown
		case rel.Post.State == PostCreated && !rel.Final:
			return Submitted
		}
	}
	if r.Unresolved() {
		return Unknown
	}
	running, waiting, mine := false, false, false
	for i := range r.Purchases {
		p := &r.Purchases[i]
		if p.Generation == r.Generation {
			mine = true
		}
		for _, o := range p.Orders {
			if o.Final {
				continue
			}
			running = true
			if phase, _ := p.phase(o.Status, o.Errors); phase == Waiting {
				waiting = true
			}
		}
	}
	switch {
	case waiting:
		return Backordered
	case running:
		return Submitted
	case mine:
		return Resolving
	default:
		return Accepted
	}
}
