package bwfake_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient/bwfake"
)

func TestLedger(t *testing.T) {
	c := newClock()
	s := start(t, bwfake.Options{Now: c.Now})
	first := s.buy("c-1", digits, "9195551235")
	c.pass(time.Second)
	failed := s.buy("c-2", digits) // taken: a well-formed order is created all the same
	part := s.buy("c-3", digits, "9195551236")
	foreign := s.SellElsewhere("+19195551299", "theirs")

	want := []bwfake.Purchase{
		{OrderID: first, CustomerOrderID: "c-1", Name: "a name", Status: "COMPLETE", Numbers: []string{number, "+19195551235"}, At: c.now.Add(-time.Second)},
		{OrderID: failed, CustomerOrderID: "c-2", Name: "a name", Status: "FAILED", Numbers: []string{}, At: c.now},
		{OrderID: part, CustomerOrderID: "c-3", Name: "a name", Status: "PARTIAL", Numbers: []string{"+19195551236"}, At: c.now},
		{OrderID: foreign, CustomerOrderID: "theirs", Name: "another system", Status: "COMPLETE", Numbers: []string{"+19195551299"}, At: c.now, Foreign: true},
	}
	if diff := cmp.Diff(want, s.Orders()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]bwfake.Purchase{want[0], want[2], want[3]}, s.Purchases()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]bwfake.Purchase{want[1]}, s.OrdersOf("-2")); diff != "" {
		t.Error(diff)
	}
	for n, times := range map[string]int{number: 1, "+19195551235": 1, "+19195551236": 1, "+19195551299": 0, "+19195551111": 0} {
		if got := s.Bought(n); got != times {
			t.Errorf("%s was bought %d times; want %d", n, got, times)
		}
	}
	if s.buy("c-4", "9195551299"); s.Bought("+19195551299") != 0 {
		t.Error("a number of another system was sold again")
	}
	s.Release(number)
	if s.Bought(number) != 0 {
		t.Error("a released number still counts")
	}
	if s.buy("c-5", digits); s.Bought(number) != 1 {
		t.Error("a released number is not for sale")
	}
	if got := s.Calls(bwfake.EndpointCreate); got != 5 {
		t.Errorf("%d orders were sent; want 5", got)
	}
	last := s.Requests()[4]
	if last.CustomerOrderID != "c-5" || last.Status != 201 || last.Method != "POST" || last.Endpoint != bwfake.EndpointCreate || !last.At.Equal(c.now) {
		t.Errorf("%+v", last)
	}
	quiet := start(t, bwfake.Options{Quiet: true})
	quiet.buy("c-1", digits)
	if len(quiet.Requests()) != 0 || quiet.Calls(bwfake.EndpointCreate) != 1 {
		t.Errorf("quiet: %v, %d calls", quiet.Requests(), quiet.Calls(bwfake.EndpointCreate))
	}
}

// TestAnswers: what an order says when it was sent, and later.
func TestAnswers(t *testing.T) {
	s := start(t, bwfake.Options{})
	s.buy("c-0", "9195551235")
	r := s.order("c-1", digits, "9195551235")
	created := s.read(r)
	if created.Status != "RECEIVED" || created.CustomerOrderID != "c-1" || created.Peer != "234222" || !slices.Equal(created.Asked, []string{digits, "9195551235"}) {
		t.Errorf("%+v", created)
	}
	got := s.get(created.ID)
	got.XMLName.Local = ""
	want := orderAnswer{
		Status: "PARTIAL", Completed: []string{digits}, Failed: []string{"9195551235"}, CompletedQuantity: "1", FailedQuantity: "1", Codes: []string{"5005"}, About: []string{"9195551235"},
		CustomerOrderID: "c-1", Peer: "234222", Asked: []string{digits, "9195551235"}, // and no id
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	noPart := s.call("POST", "/accounts/"+account+"/orders", strings.Replace(orderXML("c-2", "9195551236", digits), "<PartialAllowed>true", "<PartialAllowed>false", 1))
	if got := s.get(s.read(noPart).ID); got.Status != "FAILED" || got.CompletedQuantity != "0" || s.Bought("+19195551236") != 0 {
		t.Errorf("without PartialAllowed: %+v", got)
	}
	noPeer := s.call("POST", "/accounts/"+account+"/orders", strings.Replace(orderXML("c-3", "9195551237"), "<PeerId>234222</PeerId>", "", 1))
	if got := s.read(noPeer); got.Peer != "234222" {
		t.Errorf("the site's default peer is not filled in: %+v", got)
	}
	for _, path := range []string{"/orders/none", "/orders/none/tns", "/disconnects/none", "/inserviceNumbers/9195550000", "/sites/9/sippeers"} {
		if r := s.call("GET", "/accounts/"+account+path, ""); r.status != http.StatusNotFound || !strings.Contains(r.body, "<ResponseStatus>") {
			t.Errorf("%s: %+v", path, r)
		}
	}
}

func TestStatusesOverTime(t *testing.T) {
	c := newClock()
	s := start(t, bwfake.Options{Now: c.Now, CompleteAfter: time.Minute})
	id := s.buy("c-1", digits)
	slow := s.buy("c-2", "9195550777")
	c.pass(time.Minute - 1)
	if got := s.get(id); got.Status != "RECEIVED" || len(got.Completed) != 0 || got.CompletedQuantity != "0" {
		t.Errorf("just before: %+v", got)
	}
	c.pass(1)
	if got := s.get(id); got.Status != "COMPLETE" || !slices.Equal(got.Completed, []string{digits}) {
		t.Errorf("one tick later: %+v", got)
	}
	if got := s.get(slow); got.Status != "COMPLETE" {
		t.Errorf("0777 after more than ten seconds: %+v", got)
	}
	s.SetCompleteAfter(0)
	if got := s.get(s.buy("c-3", "9195551235")); got.Status != "COMPLETE" {
		t.Errorf("at once: %+v", got)
	}
	slow = s.buy("c-4", "9195560777")
	c.pass(10*time.Second - 1)
	if got := s.get(slow); got.Status != "RECEIVED" {
		t.Errorf("0777 just before ten seconds: %+v", got)
	}
	c.pass(1)
	if got := s.get(slow); got.Status != "COMPLETE" {
		t.Errorf("0777 after ten seconds: %+v", got)
	}
	s.SetStatus(id, "BACKORDERED")
	if got := s.get(id); got.Status != "BACKORDERED" || len(got.Completed) != 0 {
		t.Errorf("forced: %+v", got)
	}
	s.SetStatus(id, "")
	s.SetStatus("no such order", "FAILED")
	if got := s.get(id); got.Status != "COMPLETE" {
		t.Errorf("no longer forced: %+v", got)
	}
}

// TestMagicNumbers: the last four digits that the package's document names.
func TestMagicNumbers(t *testing.T) {
	s := start(t, bwfake.Options{})
	if got := s.get(s.buy("c-1", "9195550404")); got.Status != "FAILED" || !slices.Equal(got.Codes, []string{"5005"}) || s.Bought("+19195550404") != 0 {
		t.Errorf("0404: %+v", got)
	}
	if r := s.order("c-2", "9195550400", digits); r.status != 400 || !slices.Equal(s.read(r).Codes, []string{"5070"}) || s.read(r).ID != "" {
		t.Errorf("0400: %+v", r)
	}
	if r := s.order("c-3", "9195550500"); r.status != 500 || len(s.OrdersOf("c-3")) != 0 {
		t.Errorf("0500: %+v, orders %v", r, s.OrdersOf("c-3"))
	}
	if r := s.order("c-3", "9195550500"); r.status != 201 || len(s.OrdersOf("c-3")) != 1 {
		t.Errorf("0500 for the second time: %+v", r)
	}
	if r := s.order("c-4", "9195550599"); r.err == nil || len(s.OrdersOf("c-4")) != 1 || s.Bought("+19195550599") != 1 {
		t.Errorf("0599: %+v, orders %v", r, s.OrdersOf("c-4"))
	}
	if r := s.order("c-5", "9195550599"); r.status != 201 || s.Bought("+19195550599") != 1 {
		t.Errorf("0599 for the second time: %+v", r)
	}
}

// TestOnceOnly: of many orders for one number one gets it.
func TestOnceOnly(t *testing.T) {
	s := start(t, bwfake.Options{})
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if r := s.order(fmt.Sprintf("c-%d", i), digits, fmt.Sprintf("919556%04d", i%10)); r.status != 201 {
				t.Errorf("%+v", r)
			}
		})
	}
	wg.Wait()
	held := map[string]int{}
	for _, p := range s.Purchases() {
		for _, n := range p.Numbers {
			held[n]++
		}
	}
	if len(held) != 11 || len(s.Orders()) != 40 {
		t.Errorf("%d numbers sold in %d orders", len(held), len(s.Orders()))
	}
	for n, times := range held {
		if times != 1 || s.Bought(n) != 1 {
			t.Errorf("%s was sold %d times, and Bought says %d", n, times, s.Bought(n))
		}
	}
}

func TestDisconnect(t *testing.T) {
	s := start(t, bwfake.Options{})
	s.buy("c-1", digits)
	disconnect := func(list string) reply {
		return s.call("POST", "/accounts/"+account+"/disconnects", "<DisconnectTelephoneNumberOrder><DisconnectTelephoneNumberOrderType>"+list+"</DisconnectTelephoneNumberOrderType></DisconnectTelephoneNumberOrder>")
	}
	inService := func() int { return s.call("GET", "/accounts/"+account+"/inserviceNumbers/"+digits, "").status }
	if got := inService(); got != 200 {
		t.Errorf("in service: %d", got)
	}
	r := disconnect("<TelephoneNumberList><TelephoneNumber>" + digits + "</TelephoneNumber><TelephoneNumber>9195550000</TelephoneNumber></TelephoneNumberList>")
	id := r.header.Get("Location")[strings.LastIndex(r.header.Get("Location"), "/")+1:]
	if r.status != 201 || !strings.Contains(r.body, "<orderRequest>") || !strings.Contains(r.body, "<id>"+id+"</id>") {
		t.Errorf("%+v", r)
	}
	got := s.call("GET", "/accounts/"+account+"/disconnects/"+id, "")
	if !strings.Contains(got.body, "<OrderStatus>PARTIAL<") || !strings.Contains(got.body, "<Code>5006<") {
		t.Errorf("%+v", got)
	}
	if got := inService(); got != 404 || s.Bought(number) != 0 {
		t.Errorf("after the disconnect: in service %d, bought %d", got, s.Bought(number))
	}
	s.buy("c-2", digits)
	if s.Bought(number) != 1 {
		t.Error("a disconnected number is not for sale")
	}
	for list, code := range map[string]string{"": "5001", "<TelephoneNumberList/>": "5001", "<TelephoneNumberList><Tn>" + digits + "</Tn></TelephoneNumberList>": "5002"} {
		if r := disconnect(list); r.status != 400 || !strings.Contains(r.body, "<Code>"+code+"<") {
			t.Errorf("%q: %+v", list, r)
		}
	}
	if r := s.call("POST", "/accounts/"+account+"/disconnects", orderXML("c", digits)); r.status != 500 || s.Bought(number) != 1 {
		t.Errorf("%+v", r)
	}
}
