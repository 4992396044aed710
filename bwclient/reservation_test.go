package bwclient_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"bandwidthworker/bwclient"
	"bandwidthworker/bwclient/bwfake"
)

const reservationID = "f342904f-b03a-4499-bac0-e8f43a2664a1"

func reservationRefusal(code string) string {
	return "<ReservationResponse><ResponseStatus><ErrorCode>" + code + "</ErrorCode><Description>d</Description></ResponseStatus></ReservationResponse>"
}

// TestGoldenReservations compares the requests with the documents: the reservation's own, and the order's that names it.
func TestGoldenReservations(t *testing.T) {
	var got []byte
	var path string
	c := client(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		path = r.Method + " " + r.URL.Path
		w.Header().Set("Location", "https://dashboard.bandwidth.com:443/v1.0/accounts/"+account+"/tnreservation/"+reservationID)
		w.WriteHeader(http.StatusCreated)
	}))
	id, err := c.Reserve(t.Context(), number, soon())
	if err != nil || id != reservationID {
		t.Fatalf("reserved as %q, %v", id, err)
	}
	if want := "POST /accounts/" + account + "/tnreservation"; path != want {
		t.Errorf("%s; want %s", path, want)
	}
	golden(t, "reservation.xml", got)
	follows(t, "reservation", own(t, "golden/reservation.xml"), recorded(t, "openapi-v1/tnreservation__post__request__example.xml"))

	o := order("+19195551234", "+18042105666")
	o.Reservations = []bwclient.ReservationID{reservationID, "b"}
	if _, err := c.CreateOrder(t.Context(), o, soon()); err == nil {
		t.Error("an order is taken whose answer names a reservation")
	}
	golden(t, "reserved.xml", got)
	follows(t, "reserved", own(t, "golden/reserved.xml"), recorded(t, "openapi-v1/orders__post__request__ExistingTelephoneNumberOrderType.xml"),
		"Order/PeerId", "Order/PartialAllowed", "Order/BackOrderRequested")
}

// TestReserveAnswers: what each answer says about the reservation. It is named by Location alone.
func TestReserveAnswers(t *testing.T) {
	location := http.Header{"Location": {"http://a/v1.0/accounts/1/tnreservation/" + reservationID}}
	for _, c := range []struct {
		name     string
		answer   stub
		creation bwclient.Creation
		codes    []string
	}{
		{"created", stub{status: 201, header: location}, bwclient.WasCreated, nil},
		{"created, not named", stub{status: 201}, bwclient.CreationUnknown, nil},
		{"created, another thing", stub{status: 201, header: http.Header{"Location": {"http://a/accounts/1/orders/" + orderID}}}, bwclient.CreationUnknown, nil},
		{"not available", stub{status: 400, body: recorded(t, "openapi-v1/tnreservation__post__400__example.xml")}, bwclient.NotCreated, []string{"5041"}},
		{"not allowed", stub{status: 400, body: reservationRefusal("5046")}, bwclient.NotCreated, []string{"5046"}},
		{"a failure of its own", stub{status: 400, body: reservationRefusal("1000")}, bwclient.CreationUnknown, []string{"1000"}},
		{"a gateway's 400", stub{status: 400, body: "<html/>"}, bwclient.CreationUnknown, nil},
		{"the form of orders", stub{status: 400, body: refusal("5041")}, bwclient.CreationUnknown, []string{"5041"}},
		{"forbidden", stub{status: 403}, bwclient.NotCreated, nil},
		{"limited", stub{status: 429}, bwclient.NotCreated, nil},
		{"failed", stub{status: 500}, bwclient.CreationUnknown, nil},
	} {
		id, err := stubbed(t, c.answer).Reserve(t.Context(), number, soon())
		if bwclient.CreationOf(err) != c.creation || !slices.Equal(bwclient.Codes(err), c.codes) || (id != "") != (c.creation == bwclient.WasCreated) {
			t.Errorf("%s: %q, %v with %v: %v", c.name, id, bwclient.CreationOf(err), bwclient.Codes(err), err)
		}
	}
	if _, err := stubbed(t, stub{status: 201, header: location}).Reserve(t.Context(), "9195551234", soon()); !errors.Is(err, bwclient.ErrInvalidOrder) {
		t.Errorf("a number that is not E.164: %v", err)
	}
}

// TestReservationReads: what a reservation is, as recorded and in odd forms.
func TestReservationReads(t *testing.T) {
	got, err := stubbed(t, stub{status: 200, body: recorded(t, "openapi-v1/tnreservation-reservationid__get__200__example.xml")}).Reservation(t.Context(), reservationID)
	if want := (bwclient.Reservation{ID: reservationID, Number: "+14354776010", Left: 1492 * time.Second}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for name, body := range map[string]string{
		"another's": "<ReservationResponse><Reservation><ReservationId>x</ReservationId><ReservedTn>9195551234</ReservedTn></Reservation></ReservationResponse>",
		"no number": "<ReservationResponse><Reservation/></ReservationResponse>", "another document": "<OrderResponse/>", "nothing": "",
	} {
		if got, err := stubbed(t, stub{status: 200, body: body}).Reservation(t.Context(), reservationID); !errors.Is(err, bwclient.ErrUnreadable) || got.Number != "" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, id := range []bwclient.ReservationID{"", "../orders", "a b"} {
		if _, err := stubbed(t, stub{status: 200}).Reservation(t.Context(), id); !bwclient.NotSent(err) {
			t.Errorf("%q is asked for: %v", id, err)
		}
		if err := stubbed(t, stub{status: 200}).Unreserve(t.Context(), id); !bwclient.NotSent(err) {
			t.Errorf("%q is given back: %v", id, err)
		}
	}
}

// TestUnreserveAnswers: whatever comes back, nothing was created by it.
func TestUnreserveAnswers(t *testing.T) {
	if err := stubbed(t, stub{status: 200, body: recorded(t, "openapi-v1/tnreservation-reservationid__delete__200__example.xml")}).Unreserve(t.Context(), reservationID); err != nil {
		t.Errorf("the recorded answer: %v", err)
	}
	for _, a := range []stub{{status: 404, body: reservationRefusal("5043")}, {status: 400, body: reservationRefusal("5047")}, {status: 500}, {status: 429}} {
		if err := stubbed(t, a).Unreserve(t.Context(), reservationID); err == nil || bwclient.CreationOf(err) != bwclient.NotCreated || bwclient.StatusOf(err) != a.status {
			t.Errorf("%d: %v", a.status, err)
		}
	}
}

// TestOrderReservations: they go with numbers that are named, and are ids.
func TestOrderReservations(t *testing.T) {
	bad := order()
	bad.Reservations = []bwclient.ReservationID{"a b"}
	search := bwclient.Order{CustomerOrderID: "c", SiteID: "1", Search: &bwclient.SearchOrder{AreaCode: "919", Quantity: 1}, Reservations: []bwclient.ReservationID{reservationID}}
	for name, o := range map[string]bwclient.Order{"an id that is none": bad, "with a search": search} {
		if _, err := stubbed(t, stub{status: 201, body: createdBody}).CreateOrder(t.Context(), o, soon()); !errors.Is(err, bwclient.ErrInvalidOrder) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReservationAtTheSimulator: reserve, order with it, and give back what is left.
func TestReservationAtTheSimulator(t *testing.T) {
	sim, err := bwfake.Start(bwfake.Options{AccountID: account, Username: user, Password: password}, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	c := client(t, sim.URL)
	id, err := c.Reserve(t.Context(), number, soon())
	if err != nil {
		t.Fatal(err)
	}
	if r, err := c.Reservation(t.Context(), id); err != nil || r.Number != number || r.Left < 3*time.Hour || r.Left > 4*time.Hour {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := c.Reserve(t.Context(), number, soon()); !slices.Equal(bwclient.Codes(err), []string{"5041"}) || bwclient.CreationOf(err) != bwclient.NotCreated {
		t.Errorf("again: %v", err)
	}
	other, err := c.Reserve(t.Context(), "+19195551235", soon())
	if err != nil {
		t.Fatal(err)
	}
	o := order(number)
	o.SiteID, o.PeerID, o.Reservations = "1234", "", []bwclient.ReservationID{id}
	if _, err := c.CreateOrder(t.Context(), o, soon()); err != nil || sim.Bought(number) != 1 {
		t.Errorf("%v; bought %d times", err, sim.Bought(number))
	}
	if err := c.Unreserve(t.Context(), other); err != nil || len(sim.Reservations()) != 0 {
		t.Errorf("%v; %v stands", err, sim.Reservations())
	}
	if err := c.Unreserve(t.Context(), other); !slices.Equal(bwclient.Codes(err), []string{"5043"}) {
		t.Errorf("once more: %v", err)
	}
}
