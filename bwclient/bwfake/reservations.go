package bwfake

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// reservationLife is how long a reservation lasts, as documented.
const reservationLife = 4 * time.Hour

// reservation holds a number for orders that name it.
type reservation struct {
	id, number string // the number is ten digits
	until      time.Time
}

// Reserved is a reservation that stands.
type Reserved struct {
	ID     string    `json:"id"`
	Number string    `json:"number"` // E.164
	Until  time.Time `json:"until"`
}

// Reservations returns those that stand: neither ordered, nor given back, nor at their end.
func (s *Server) Reservations() []Reserved {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	out := []Reserved{}
	for _, r := range s.reservations {
		out = append(out, Reserved{ID: r.id, Number: "+1" + r.number, Until: r.until})
	}
	return out
}

// EndReservations lets every reservation end now.
func (s *Server) EndReservations() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.reservations)
}

// settleReservations ends what has had its time. The caller holds the lock.
func (s *Server) settleReservations(now time.Time) {
	for id, r := range s.reservations {
		if !now.Before(r.until) {
			delete(s.reservations, id)
		}
	}
}

// isReserved reports whether a number, ten digits, is held for an order that names its reservation. The caller holds the
// lock.
func (s *Server) isReserved(number string) bool {
	for _, r := range s.reservations {
		if r.number == number {
			return true
		}
	}
	return false
}

// createReservation serves POST /tnreservation: 201 without a body.
func (s *Server) createReservation(x *exchange) {
	root, readable := x.document("Reservation", maxChange)
	if !x.isXML() {
		x.empty(http.StatusUnsupportedMediaType)
		return
	}
	refuse := func(code, text string) {
		x.write(http.StatusBadRequest, "application/xml", reservationRefusal(code, text))
	}
	if !readable || len(root.Children) != 1 {
		refuse("5044", "Reservation object is invalid.")
		return
	}
	number, _ := root.get("ReservedTn")
	r := &reservation{id: newID(), number: number}
	s.mu.Lock()
	sold := s.holders[number] != nil
	free := s.forSale(number)
	if free && digits10.MatchString(number) && !strings.HasSuffix(number, "0400") {
		r.until = s.opts.Now().Add(s.reservationLife())
		s.reservations[r.id] = r
	}
	s.mu.Unlock()
	switch {
	case !digits10.MatchString(number):
		refuse("5045", "Reservation request param is invalid.")
	case strings.HasSuffix(number, "0400") && !sold:
		refuse("5040", "Reservation failed: telephone number "+number+" not found.")
	case !free:
		refuse("5041", "Reservation failed: telephone number "+number+" is not available.")
	default:
		x.created(s.location(x.r, "tnreservation/"+r.id), http.StatusCreated, "", "")
	}
}

func (s *Server) reservationLife() time.Duration {
	if s.opts.ReservationLife != 0 {
		return s.opts.ReservationLife
	}
	return reservationLife
}

// getReservation serves GET and DELETE /tnreservation/{id}; both show the reservation.
func (s *Server) getReservation(x *exchange) {
	s.mu.Lock()
	r := s.reservations[x.r.PathValue("id")]
	now := s.opts.Now()
	if r != nil && x.r.Method == http.MethodDelete {
		delete(s.reservations, r.id)
	}
	s.mu.Unlock()
	if r == nil {
		x.write(http.StatusNotFound, "application/xml", reservationRefusal("5043", "Reservation "+x.r.PathValue("id")+" not found."))
		return
	}
	var b strings.Builder
	b.WriteString(xmlHead + "<ReservationResponse><Reservation>")
	tag(&b, "ReservationId", r.id)
	tag(&b, "AccountId", s.opts.AccountID)
	tag(&b, "ReservationExpires", strconv.Itoa(int(r.until.Sub(now)/time.Second)))
	tag(&b, "ReservedTn", r.number)
	b.WriteString("</Reservation></ReservationResponse>")
	x.reply(http.StatusOK, b.String())
}

func reservationRefusal(code, text string) string {
	return xmlHead + "<ReservationResponse><ResponseStatus><ErrorCode>" + code + "</ErrorCode><Description>" + esc(text) + "</Description></ResponseStatus></ReservationResponse>"
}

// readReservations reads the ReservationIdList of an order, and refuses those that do not stand. How the vendor says so
// is not documented; 5043 is what its table of errors has for them.
func (s *Server) readReservations(existing *element, fail func(code, description, number string)) []string {
	list := existing.child("ReservationIdList")
	if list == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, c := range list.Children {
		id := strings.TrimSpace(c.Text)
		switch {
		case c.XMLName.Local != "ReservationId":
			fail("5002", "The element "+c.XMLName.Local+" is not allowed here.", "")
		case s.reservations[id] == nil:
			fail("5043", "Reservation "+id+" not found.", "")
		}
		out = append(out, id)
	}
	return out
}
