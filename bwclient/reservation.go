package bwclient

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// ReservationID is Bandwidth's id of a reservation.
type ReservationID string

// Reservation is a number that is held for this account until it is ordered (GET /tnreservation/{id}).
type Reservation struct {
	ID ReservationID
	// Number is E.164.
	Number string
	// Left is how long it lasts from the time of the answer on; four hours from its beginning where nothing else is
	// agreed. Zero where the answer does not say.
	Left time.Duration
}

// reservationBody is the wire form of a reservation.
type reservationBody struct {
	XMLName xml.Name `xml:"Reservation"`
	Number  string   `xml:"ReservedTn"`
}

// reservationForm is the answer to POST /tnreservation: 201 without a body, the id in Location alone. A refusal is a
// ResponseStatus.
var reservationForm = form{root: "ReservationResponse", echo: "Reservation", below: "tnreservation", taken: []int{http.StatusCreated}, refusal: "ResponseStatus"}

// Reserve reserves one number, E.164, once, under the rules of [Client.CreateOrder]: ask [CreationOf] of its error
// whether it may be reserved all the same. Such a reservation cannot be found, and holds the number until it ends. The
// codes of a refusal stand in Bandwidth's table of errors under ReservationErrors: 5040 no such number, 5041 not
// available (also where this account has reserved it), 5044 and 5045 bad request, 5046 not allowed on this account.
func (c *Client) Reserve(ctx context.Context, number string, sendBy time.Time) (ReservationID, error) {
	k := call{op: "reserve " + clip(number, maxText), method: http.MethodPost, path: "tnreservation"}
	digits, err := fromE164(number)
	if err != nil {
		return "", k.invalid(fmt.Errorf("%w: %w", ErrInvalidOrder, err))
	}
	data, err := document(reservationBody{Number: digits})
	if err != nil {
		return "", k.invalid(err)
	}
	created, err := c.create(ctx, k, reservationForm, data, sendBy)
	return ReservationID(created.OrderID), err
}

// reservationCall is a call about one reservation.
func reservationCall(method, verb string, id ReservationID) (call, error) {
	k := call{op: verb + " reservation " + clip(string(id), maxText), method: method, path: "tnreservation/" + string(id)}
	if !validID(string(id)) {
		e := k.failed(errors.New("that is not the id of a reservation; nothing was asked"))
		e.Creation, e.notSent = NotCreated, true
		return k, e
	}
	return k, nil
}

// Reservation reads a reservation. It blocks for [Config.GetTimeout] at the most. One that has ended is refused with
// 5042 or 5043 (see [Codes]).
func (c *Client) Reservation(ctx context.Context, id ReservationID) (Reservation, error) {
	k, err := reservationCall(http.MethodGet, "read", id)
	if err != nil {
		return Reservation{}, err
	}
	root, err := c.readAs(ctx, k, nil, reservationForm.root)
	if err != nil {
		return Reservation{}, err
	}
	r := root.child(reservationForm.echo)
	got := Reservation{ID: id, Number: toE164(r.childText("ReservedTn"))}
	if seconds, err := strconv.ParseInt(r.childText("ReservationExpires"), 10, 32); err == nil && seconds > 0 {
		got.Left = time.Duration(seconds) * time.Second
	}
	if named := r.childText("ReservationId"); got.Number == "" || named != "" && named != string(id) {
		return Reservation{}, k.unreadable(fmt.Errorf("%w: it is about reservation %q of %q", ErrUnreadable, clip(named, 64), clip(got.Number, 64)))
	}
	return got, nil
}

// Unreserve gives a reservation back (DELETE /tnreservation/{id}). It blocks for [Config.GetTimeout] at the most, and may
// be repeated after any error: one that has ended is refused with 5042 or 5043.
func (c *Client) Unreserve(ctx context.Context, id ReservationID) error {
	k, err := reservationCall(http.MethodDelete, "give back", id)
	if err != nil {
		return err
	}
	a, err := c.alter(ctx, k, nil)
	if err != nil {
		return err
	}
	if a.StatusCode == http.StatusOK || a.StatusCode == http.StatusNoContent {
		return nil
	}
	return c.notAltered(k, a)
}
