package orders

import "github.com/sirupsen/logrus"

// entry returns the log entry of an order: order and request stand on every line.
func (d *Driver) entry(r *Record) *logrus.Entry {
	return d.Log.WithFields(logrus.Fields{"order": r.Key, "request": r.RequestID, "generation": r.Generation})
}

func (d *Driver) logPoll(r *Record, f PollFact) {
	log := d.entry(r).WithFields(logrus.Fields{"bandwidth_order": f.OrderID, "status": f.Status})
	_, known := PhaseOf(f.Status, f.Errors)
	if r.Kind == PortIn {
		_, known = PortInPhase(f.Status)
	}
	switch {
	case f.Gone:
		log.WithField("detail", f.Detail).Warn("the order does not exist at Bandwidth any more; it is read again")
	case f.Failed:
		log.WithField("detail", f.Detail).Warn("could not read the order at Bandwidth; nothing changes, it is read again")
	case !known:
		log.Warn("Bandwidth gives a status that is not documented for such orders, or calls a final order pending; it counts as pending")
	default:
		log.Debug("read the order at Bandwidth")
	}
}

func (d *Driver) logLook(r *Record, f LookFact) {
	log := d.entry(r).WithFields(logrus.Fields{"n": f.N, "found": len(f.Found), "detail": f.Detail})
	if f.Counted {
		log.Info("looked for the order at Bandwidth")
	} else {
		log.Warn("could not look for the order at Bandwidth; it is looked for again")
	}
}

func (d *Driver) logPost(r *Record, p posting, f PostFact) {
	log := d.entry(r).WithFields(logrus.Fields{"bandwidth_order": f.OrderID, "detail": f.Detail})
	if p.reservation {
		log.WithField("state", f.State).Debugf("asked for %s", p.what)
		return
	}
	switch f.State {
	case PostCreated:
		log.Infof("placed %s at Bandwidth", p.what)
	case PostRefused:
		log.Warnf("Bandwidth refused %s; nothing was created", p.what)
	case PostUnknown:
		log.Errorf("it is not known whether Bandwidth took %s; %s", p.what, p.unknown)
	default:
		log.Warnf("%s was not placed, surely; it is tried again", p.what)
	}
}
