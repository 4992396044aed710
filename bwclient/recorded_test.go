package bwclient_test

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient"
)

// elementPaths lists the paths of a document's elements, each once, in their order.
func elementPaths(t testing.TB, text string) []string {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(text))
	var at, out []string
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			at = append(at, e.Name.Local)
			if path := strings.Join(at, "/"); !slices.Contains(out, path) {
				out = append(out, path)
			}
		case xml.EndElement:
			at = at[:len(at)-1]
		}
	}
}

// recordedCreated are the recorded answers to POST /orders that created one.
var recordedCreated = map[string]bwclient.Created{
	"guides/numberOrderingSummary_03_OrderResponse.xml":        {OrderID: "47955555-67aa-4adb-8c0f-b6894e60c0dc", Status: "RECEIVED"},
	"guides/onDemandNumberSearchAndOrder_04_OrderResponse.xml": {OrderID: "c9dg306c-gdh7-77j7-812c-0520c8f49123", Status: "RECEIVED"},
	"guides/searchingAndOrderingNumbers_13_OrderResponse.xml":  {OrderID: "47955555-67aa-4adb-8c0f-b6894e60c0dc", Status: "RECEIVED"},
	"kazoo/buy_a_number.xml":                                   {OrderID: "dc0008ec-07fc-41bf-a3bd-6c6ebf913f1c", Status: "RECEIVED"},
	"openapi-v1/orders__post__201__example.xml":                {OrderID: "34adcd9f-2c4a-4631-9dae-d1f318ed57bc"},
}

// recordedRefused are the recorded answers that refused one.
var recordedRefused = map[string][]bwclient.Detail{
	"guides/error_01_OrderResponse.xml":         {{Code: "5070", Description: "Telephone number is invalid.", Number: "55544433"}},
	"openapi-v1/orders__post__400__example.xml": {{Code: "5016", Description: "The SiteId submitted is invalid."}},
}

// recordedOrders are the recorded answers to GET /orders/{id}.
var recordedOrders = map[string]bwclient.OrderStatus{
	"guides/numberOrderingSummary_04_OrderResponse.xml": {
		Status: "COMPLETE", Completed: []string{"+19102414365"}, CompletedQuantity: count(1), FailedQuantity: count(0), SiteID: "24717", PeerID: "651681",
	},
	"guides/onDemandNumberSearchAndOrder_07_OrderResponse.xml": {
		CustomerOrderID: "123456789", Name: "Existing Number Order", Status: "COMPLETE", Completed: []string{"+15405511247"}, Asked: []string{"+15405511247"},
		CompletedQuantity: count(1), FailedQuantity: count(0), SiteID: "13606", PeerID: "546348",
	},
	"guides/onDemandNumberSearchAndOrder_08_OrderResponse.xml": {
		CustomerOrderID: "1234567896", Name: "Existing Number Order 234", Status: "FAILED", Asked: []string{"+15402278098"},
		Failed:            []bwclient.Detail{{Code: "5005", Description: "The telephone number is unavailable for ordering", Number: "+15402278098"}},
		Errors:            []bwclient.Detail{{Code: "5005", Description: "The telephone number is unavailable for ordering"}},
		CompletedQuantity: count(0), FailedQuantity: count(1), SiteID: "13606", PeerID: "546348",
	},
	"kazoo/check_order.xml": {
		OrderID: "dc0008ec-07fc-41bf-a3bd-6c6ebf913f1c", CustomerOrderID: "deadbeef1234567901234567890dead", Name: "Kazoo-63628571101", Status: "COMPLETE",
		Asked: []string{"+19734096113"}, SiteID: "1337", PeerID: "13337",
	},
	"openapi-v1/orders-orderId__get__200__example.xml": {
		CustomerOrderID: "123456789", Name: "Area Code Order", Status: "COMPLETE", Completed: []string{"+18042105666"},
		CompletedQuantity: count(1), FailedQuantity: count(0), SiteID: "743", PeerID: "303716",
	},
}

// otherOrderResponses are recorded bodies of calls that are not served here.
var otherOrderResponses = []string{"openapi-v1/orders-orderId__put__200__example.xml"}

func TestRecordedPosts(t *testing.T) {
	for name, want := range recordedCreated {
		got, err := stubbed(t, stub{status: 201, body: recorded(t, name)}).CreateOrder(t.Context(), order(), soon())
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	for name, want := range recordedRefused {
		_, err := stubbed(t, stub{status: 400, body: recorded(t, name)}).CreateOrder(t.Context(), order(), soon())
		var e *bwclient.Error
		if !errors.As(err, &e) || e.Creation != bwclient.NotCreated {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, e.Details); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	// The same body as a 400 names an order, and so does a refusal that came as 201: both are unknown.
	for name := range recordedCreated {
		_, err := stubbed(t, stub{status: 400, body: recorded(t, name)}).CreateOrder(t.Context(), order(), soon())
		if bwclient.CreationOf(err) != bwclient.CreationUnknown {
			t.Errorf("400 with %s: %v", name, bwclient.CreationOf(err))
		}
	}
	for name := range recordedRefused {
		_, err := stubbed(t, stub{status: 201, body: recorded(t, name)}).CreateOrder(t.Context(), order(), soon())
		if bwclient.CreationOf(err) != bwclient.CreationUnknown {
			t.Errorf("201 with %s: %v", name, bwclient.CreationOf(err))
		}
	}
}

func TestRecordedOrders(t *testing.T) {
	for name, want := range recordedOrders {
		if want.OrderID == "" {
			want.OrderID = orderID
		}
		got, err := stubbed(t, stub{status: 200, body: recorded(t, name)}).Order(t.Context(), want.OrderID)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	numbers, err := stubbed(t, stub{status: 200, body: recorded(t, "openapi-v1/orders-orderId-tns__get__200__example.xml")}).OrderNumbers(t.Context(), orderID)
	if diff := cmp.Diff([]string{"+18042105666"}, numbers); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

// TestRecordedIsComplete: each recorded OrderResponse is read by a test above.
func TestRecordedIsComplete(t *testing.T) {
	dir := fixtures(t)
	found := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".xml" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(data), "<OrderResponse>") {
			return err
		}
		found++
		name, _ := filepath.Rel(dir, path)
		_, created := recordedCreated[name]
		_, refused := recordedRefused[name]
		_, read := recordedOrders[name]
		if !created && !refused && !read && !slices.Contains(otherOrderResponses, name) {
			t.Errorf("%s is read by no test", name)
		}
		return nil
	})
	if err != nil || found == 0 {
		t.Errorf("%d recorded answers about orders, %v", found, err)
	}
}

func TestRecordedLists(t *testing.T) {
	first := recorded(t, "openapi-v1/orders__get__200__example.xml")
	c, asked := pages(t, map[string]string{"1": first, "cbdcfc94-81b1-4ce9-8b6d-f8d6b85381ba": own(t, "orders_list/nothing.xml")})
	// The recording counts 122 orders and is one page of them: that may not pass for the whole list.
	if got, err := c.OrdersByCustomerOrderID(t.Context(), "c-1"); !errors.Is(err, bwclient.ErrUnreadable) {
		t.Errorf("%v, %v", got, err)
	}
	if diff := cmp.Diff([]string{"1", "cbdcfc94-81b1-4ce9-8b6d-f8d6b85381ba"}, *asked); diff != "" {
		t.Error(diff)
	}
	single := strings.Replace(strings.Replace(first, "<TotalCount>122<", "<TotalCount>3<", 1), "page=cbdcfc94-81b1-4ce9-8b6d-f8d6b85381ba", "page=1", 1)
	got, err := stubbed(t, stub{status: 200, body: single}).OrdersByCustomerOrderID(t.Context(), "c-1")
	want := []bwclient.OrderSummary{
		{OrderID: "c5d8d076-345c-45d7-87b3-803a35cca89b", Status: "COMPLETE", CountOfTNs: 1, OrderedAt: time.Date(2013, 12, 20, 6, 0, 0, 0, time.UTC)},
		{OrderID: "27da9f39-81f3-44ed-80ce-05ddf2db612d", Status: "FAILED", OrderedAt: time.Date(2013, 11, 5, 17, 0, 0, 0, time.UTC)},
		{OrderID: "2bab589e-2cda-453b-9999-8f35441d4a1a", Status: "COMPLETE", CountOfTNs: 1, OrderedAt: time.Date(2013, 12, 11, 20, 0, 0, 0, time.UTC)},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	// The list of a site's orders has the same form, with links that are escaped.
	c, asked = pages(t, map[string]string{"1": recorded(t, "openapi-v1/sites-siteId-orders__get__200__example.xml")})
	if got, err := c.OrdersByCustomerOrderID(t.Context(), "c-1"); !errors.Is(err, bwclient.ErrUnreadable) || len(*asked) != 2 || (*asked)[1] != "fa7bc01a-cb4d-4eae-9621-560020f45105" {
		t.Errorf("%v, %v, pages %v; want that the second page is missed", got, err, *asked)
	}
	// The 404 of a site without orders holds only links, and counts as nothing found.
	none, err := stubbed(t, stub{status: 404, body: recorded(t, "openapi-v1/sites-siteId-orders__get__404__example.xml")}).OrdersByCustomerOrderID(t.Context(), "c-1")
	if err != nil || len(none) != 0 {
		t.Errorf("404: %v, %v", none, err)
	}
}

func TestRecordedReads(t *testing.T) {
	n, err := stubbed(t, stub{status: 200, body: recorded(t, "openapi-v1/tns-tn__get__200__example.xml")}).Number(t.Context(), "+12012035013")
	want := bwclient.Number{
		Number: "+12012035013", Status: "Inservice", OrderID: "cf79d3c3-21b7-4db7-9867-273a1867f934", OrderedAt: time.Date(2014, 3, 25, 12, 55, 11, 810e6, time.UTC), OrderType: "NEW_NUMBER_ORDER", SiteID: "2409", AccountID: "8000273",
	}
	if diff := cmp.Diff(want, n); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	sites, err := stubbed(t, stub{status: 200, body: recorded(t, "openapi-v1/sites__get__200__example.xml")}).Sites(t.Context())
	if diff := cmp.Diff([]bwclient.Site{{ID: "399", Name: "SiteName", Description: "NewSite"}, {ID: "403", Name: "TestSite2", Description: "SomeOtherSite"}}, sites); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	peers, err := stubbed(t, stub{status: 200, body: recorded(t, "openapi-v1/sites-siteId-sippeers__get__200__example.xml")}).Peers(t.Context(), "743")
	if diff := cmp.Diff([]bwclient.Peer{{ID: "304985", Name: "CNAM-TEST-778"}}, peers); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

// TestRecordedErrors: each recorded error, of whatever resource, is found.
func TestRecordedErrors(t *testing.T) {
	for name, want := range map[string]bwclient.Detail{
		"openapi-v1/sites-siteId__get__404__example.xml":           {Code: "12016", Description: "Site '3014' does not exist"},
		"openapi-v1/orders-orderId-history__get__404__example.xml": {Description: "The resource does not exist"},
		"openapi-v1/disconnects__post__400__example.xml":           {Code: "54321", Description: "Some error description"},
	} {
		_, err := stubbed(t, stub{status: 404, body: recorded(t, name)}).Order(t.Context(), orderID)
		var e *bwclient.Error
		if !errors.As(err, &e) || !cmp.Equal([]bwclient.Detail{want}, e.Details) {
			t.Errorf("%s: %v", name, err)
		}
	}
	bodies, err := filepath.Glob(filepath.Join(fixtures(t), "*", "*__4[0-9][0-9]__*.xml"))
	if err != nil || len(bodies) < 5 {
		t.Fatalf("%d recorded errors, %v", len(bodies), err)
	}
	for _, path := range bodies {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = stubbed(t, stub{status: 400, body: string(data)}).Sites(t.Context())
		var e *bwclient.Error
		if hasError := strings.Contains(string(data), "<Description>"); !errors.As(err, &e) || hasError && len(e.Details) == 0 {
			t.Errorf("%s: no error is found: %v", filepath.Base(path), err)
		}
	}
}
