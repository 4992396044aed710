package bwclient_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient"
)

func count(n int) *int { return &n }

// TestOrderForms reads own payloads in the documented forms.
func TestOrderForms(t *testing.T) {
	unavailable := bwclient.Detail{Code: "5005", Description: "The telephone number is unavailable for ordering"}
	about := func(d bwclient.Detail, number string) bwclient.Detail { d.Number = number; return d }
	part := bwclient.Detail{Code: "5017", Description: "Only part of the order could be filled"}
	for name, want := range map[string]bwclient.OrderStatus{
		"failed_empty_type": {
			Name: "East coast-kq3", Status: "FAILED", Errors: []bwclient.Detail{unavailable},
			Failed:            []bwclient.Detail{about(unavailable, "+19195551234"), about(unavailable, "+19195551235")},
			CompletedQuantity: count(0), FailedQuantity: count(2), SiteID: "743",
		},
		"partial_other_nesting": {
			Status: "PARTIAL", Errors: []bwclient.Detail{part}, Failed: []bwclient.Detail{about(part, "+19195551236")},
			Completed: []string{"+19195551234", "+19195551235"}, Asked: []string{"+19195551234", "+19195551235", "+19195551236"},
			CompletedQuantity: count(2), FailedQuantity: count(1), SiteID: "743", PeerID: "303716",
		},
		"partial_bare_text": {
			Status: "PARTIAL", Completed: []string{"+19195551234"}, Failed: []bwclient.Detail{{Number: "+19195551235"}, {Number: "+19195551236"}},
			CompletedQuantity: count(1), FailedQuantity: count(2),
		},
		"partial_no_numbers": {Status: "PARTIAL", CompletedQuantity: count(2), FailedQuantity: count(1)},
		"pending_5019":       {Status: "RECEIVED", Errors: []bwclient.Detail{{Code: "5019", Description: "The order is pending."}}},
		"e164":               {Status: "COMPLETE", Completed: []string{"+19195551234", "+19195551235", "+19195551236"}, CompletedQuantity: count(3)},
		"latin1":             {Status: "COMPLETE", Name: "Montr?al é", Completed: []string{"+19195551234"}},
		"sparse":             {Status: "BACKORDERED"},
	} {
		got, err := stubbed(t, stub{status: 200, body: own(t, "orders_get/"+name+".xml")}).Order(t.Context(), orderID)
		want.OrderID = orderID
		if name != "sparse" {
			want.CustomerOrderID = "East-coast-kq3"
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

// TestOrderUnreadable: what is not an answer about this order is an error, and never an order.
func TestOrderUnreadable(t *testing.T) {
	for name, s := range map[string]stub{
		"204":              {status: 204},
		"empty":            {status: 200},
		"space":            {status: 200, body: " \n"},
		"a page":           {status: 200, body: own(t, "gateway.html")},
		"json":             {status: 200, body: own(t, "gateway.json")},
		"another root":     {status: 200, body: "<ErrorResponse/>"},
		"cut off":          {status: 200, body: own(t, "orders_get/e164.xml")[:300]},
		"another order":    {status: 200, body: "<OrderResponse><Order><id>someone-elses</id></Order><OrderStatus>COMPLETE</OrderStatus></OrderResponse>"},
		"two documents":    {status: 200, body: "<OrderResponse/><OrderResponse/>"},
		"too deep":         {status: 200, body: "<OrderResponse>" + strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100) + "</OrderResponse>"},
		"an unclosed mark": {status: 200, body: "<OrderResponse><Order></OrderResponse>"},
	} {
		got, err := stubbed(t, s).Order(t.Context(), orderID)
		if !errors.Is(err, bwclient.ErrUnreadable) || bwclient.CreationOf(err) != bwclient.NotCreated || bwclient.StatusOf(err) != 200 {
			t.Errorf("%s: %+v, status %d, %v", name, got, bwclient.StatusOf(err), err)
		}
	}
	for status, body := range map[int]string{404: "", 500: "<html>", 401: "", 303: "", 201: createdBody, 202: ""} {
		_, err := stubbed(t, stub{status: status, body: body}).Order(t.Context(), orderID)
		if bwclient.StatusOf(err) != status || errors.Is(err, bwclient.ErrUnreadable) {
			t.Errorf("HTTP %d: %v", status, err)
		}
	}
}

func TestOrderNumbers(t *testing.T) {
	const list = "<TelephoneNumbers><Count>%d</Count>%s</TelephoneNumbers>"
	one, two := "<TelephoneNumber>9195551234</TelephoneNumber>", "<TelephoneNumber><FullNumber>9195551235</FullNumber></TelephoneNumber>"
	for name, c := range map[string]struct {
		body string
		want []string
		bad  bool
	}{
		"none":           {body: fmt.Sprintf(list, 0, "")},
		"one":            {body: fmt.Sprintf(list, 1, one), want: []string{"+19195551234"}},
		"two":            {body: fmt.Sprintf(list, 2, one+two), want: []string{"+19195551234", "+19195551235"}},
		"no count":       {body: "<TelephoneNumbers>" + one + "</TelephoneNumbers>", want: []string{"+19195551234"}},
		"counts more":    {body: fmt.Sprintf(list, 2, one), bad: true},
		"counts less":    {body: fmt.Sprintf(list, 1, one+two), bad: true},
		"names it twice": {body: fmt.Sprintf(list, 2, one+one), bad: true},
		"another root":   {body: "<TNs><Count>0</Count></TNs>", bad: true},
		"empty":          {bad: true},
	} {
		got, err := stubbed(t, stub{status: 200, body: c.body}).OrderNumbers(t.Context(), orderID)
		if c.bad {
			if !errors.Is(err, bwclient.ErrUnreadable) {
				t.Errorf("%s: %v, %v", name, got, err)
			}
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func TestNumber(t *testing.T) {
	body := "<TelephoneNumberResponse><TelephoneNumber>%s</TelephoneNumber><Status>Aging</Status><orderId>o-1</orderId><LastModifiedDate>2014-03-25 12:55:11.0</LastModifiedDate></TelephoneNumberResponse>"
	for _, written := range []string{"9195551234", "+19195551234", "19195551234", " 9195551234\n"} {
		got, err := stubbed(t, stub{status: 200, body: fmt.Sprintf(body, written)}).Number(t.Context(), number)
		if diff := cmp.Diff(bwclient.Number{Number: number, Status: "Aging", OrderID: "o-1"}, got); diff != "" || err != nil {
			t.Errorf("%q: %v\n%s", written, err, diff)
		}
	}
	for name, s := range map[string]stub{
		"another number": {status: 200, body: fmt.Sprintf(body, "9195551235")}, "no number": {status: 200, body: "<TelephoneNumberResponse/>"},
		"empty": {status: 200}, "204": {status: 204}, "another root": {status: 200, body: "<OrderResponse/>"},
	} {
		if got, err := stubbed(t, s).Number(t.Context(), number); !errors.Is(err, bwclient.ErrUnreadable) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestSitesAndPeers(t *testing.T) {
	peers, err := stubbed(t, stub{status: 200, body: own(t, "reads/peers.xml")}).Peers(t.Context(), "743")
	if diff := cmp.Diff([]bwclient.Peer{{ID: "303716", Name: "Kazoo east", Default: true}, {ID: "303717"}}, peers); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	sites, err := stubbed(t, stub{status: 200, body: "<SitesResponse><Sites><Site><Id>1</Id></Site></Sites></SitesResponse>"}).Sites(t.Context())
	if diff := cmp.Diff([]bwclient.Site{{ID: "1"}}, sites); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	none := stubbed(t, stub{status: 204})
	sites, err = none.Sites(t.Context())
	peers, err2 := none.Peers(t.Context(), "743")
	if len(sites)+len(peers) != 0 || errors.Join(err, err2) != nil {
		t.Errorf("nothing found: %v, %v, %v", sites, peers, errors.Join(err, err2))
	}
	_, err = stubbed(t, stub{status: 404, body: "<SiteResponse><ResponseStatus><ErrorCode>12016</ErrorCode><Description>Site '7' does not exist</Description></ResponseStatus></SiteResponse>"}).Peers(t.Context(), "7")
	if diff := cmp.Diff([]string{"12016"}, bwclient.Codes(err)); diff != "" || bwclient.StatusOf(err) != http.StatusNotFound {
		t.Errorf("%v\n%s", err, diff)
	}
}

// TestErrorShapes: Bandwidth writes its errors in these shapes.
func TestErrorShapes(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want []bwclient.Detail
	}{
		"ErrorList":      {"<X><ErrorList><Error><Code>5001</Code><Description>d</Description></Error></ErrorList></X>", []bwclient.Detail{{Code: "5001", Description: "d"}}},
		"ResponseStatus": {"<X><ResponseStatus><ErrorCode>5001</ErrorCode><Description>d</Description></ResponseStatus></X>", []bwclient.Detail{{Code: "5001", Description: "d"}}},
		"SearchResult":   {"<SearchResult><Error><Code>4000</Code><Description>d</Description></Error></SearchResult>", []bwclient.Detail{{Code: "4000", Description: "d"}}},
		"Errors": {
			"<X><Errors><Code>7642</Code><Description>d</Description><TelephoneNumbers><Tn>9195551234</Tn><Tn>9195551235</Tn></TelephoneNumbers></Errors><Errors><Code>7643</Code></Errors></X>",
			[]bwclient.Detail{{Code: "7642", Description: "d", Number: "+19195551234"}, {Code: "7642", Description: "d", Number: "+19195551235"}, {Code: "7643"}},
		},
		"IrisStatus":         {"<IrisStatus><Code>1</Code><Description>d</Description></IrisStatus>", []bwclient.Detail{{Code: "1", Description: "d"}}},
		"Status":             {"<X><Status><Code>201</Code><Description>d</Description></Status></X>", []bwclient.Detail{{Code: "201", Description: "d"}}},
		"fileUploadResponse": {"<fileUploadResponse><resultCode>2</resultCode><resultMessage>d</resultMessage></fileUploadResponse>", []bwclient.Detail{{Code: "2", Description: "d"}}},
		"no error":           {"<X><Status>Inservice</Status><ErrorList/></X>", nil},
		"not XML":            {"nothing", nil},
	} {
		_, err := stubbed(t, stub{status: 409, body: c.body}).Sites(t.Context())
		var e *bwclient.Error
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, e.Details); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}
