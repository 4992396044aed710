package bwclient_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"bandwidthworker/bwclient"
)

// creates sends an order to a server that gives the answer, and returns what came of it.
func creates(t *testing.T, h http.HandlerFunc) (bwclient.Created, error) {
	t.Helper()
	return client(t, serve(t, h)).CreateOrder(t.Context(), order(), soon())
}

// TestCreationOfEveryStatus sends an order for every status and several bodies, to a server that says exactly that.
func TestCreationOfEveryStatus(t *testing.T) {
	t.Parallel()
	var head, body string
	url := raw(t, func(conn net.Conn) {
		if _, _, ok := readRequest(bufio.NewReader(conn)); ok {
			fmt.Fprintf(conn, "%sConnection: close\r\nContent-Length: %d\r\n\r\n%s", head, len(body), body)
		}
		_ = conn.Close()
	})
	c := client(t, url)
	surelyNot := []int{401, 402, 403, 404, 429}
	for name, text := range map[string]string{
		"empty": "", "refused": refusal("5005"), "an order's id": createdBody, "a page": "<html><body>Bad day</body></html>", "json": `{"error":"no"}`,
	} {
		body = text
		for status := 100; status <= 599; status++ {
			head = fmt.Sprintf("HTTP/1.1 %d Word\r\n", status)
			want := bwclient.CreationUnknown
			switch {
			case slices.Contains(surelyNot, status), status == 400 && name == "refused":
				want = bwclient.NotCreated
			case status == 201 && name == "an order's id":
				want = bwclient.WasCreated
			}
			created, err := c.CreateOrder(t.Context(), order(), soon())
			if got := bwclient.CreationOf(err); got != want {
				t.Errorf("HTTP %d with %s: %v; want %v (%v)", status, name, got, want, err)
			}
			if (err == nil) != (created.OrderID == orderID) {
				t.Errorf("HTTP %d with %s: order %q with error %v", status, name, created.OrderID, err)
			}
			if bwclient.NotSent(err) {
				t.Errorf("HTTP %d with %s: an answered request counts as not sent", status, name)
			}
			wantStatus := status
			if err == nil || status < 200 && status != 101 {
				wantStatus = 0 // created; or an interim answer, which no other follows
			}
			if got := bwclient.StatusOf(err); got != wantStatus {
				t.Errorf("HTTP %d with %s: status %d", status, name, got)
			}
			if got, want := bwclient.IsCredentials(err), status == 401 || status == 403; got != want {
				t.Errorf("HTTP %d with %s: IsCredentials is %t", status, name, got)
			}
		}
	}
}

func TestCreationOf400(t *testing.T) {
	echo := "<Order><CustomerOrderId>c-1</CustomerOrderId><SiteId>1</SiteId></Order>"
	type row struct {
		name, body string
		header     []string
		want       bwclient.Creation
	}
	rows := []row{
		{name: "one lasting and one passing code", body: refusal("5005", "5086"), want: bwclient.CreationUnknown},
		{name: "the passing code first", body: refusal("1000", "5016"), want: bwclient.CreationUnknown},
		{name: "several lasting codes", body: refusal("5016", "5070", "5005"), want: bwclient.NotCreated},
		{name: "a refusal without the order", body: "<OrderResponse><ErrorList><Error><Code>5016</Code></Error></ErrorList></OrderResponse>", want: bwclient.NotCreated},
		{name: "a code in space", body: "<OrderResponse><ErrorList><Error>\n <Code>\n 5016 </Code></Error></ErrorList></OrderResponse>", want: bwclient.NotCreated},
		{name: "a passing code in space", body: "<OrderResponse><ErrorList><Error>\n <Code>\n 5086 </Code></Error></ErrorList></OrderResponse>", want: bwclient.CreationUnknown},
		{name: "an order's id", body: strings.Replace(refusal("5016"), "<SiteId>", "<id>"+orderID+"</id><SiteId>", 1), want: bwclient.CreationUnknown},
		{name: "an OrderId", body: strings.Replace(refusal("5016"), "<SiteId>", "<OrderId>77</OrderId><SiteId>", 1), want: bwclient.CreationUnknown},
		{name: "an orderId beside the order", body: strings.Replace(refusal("5016"), "<Order>", "<orderId>77</orderId><Order>", 1), want: bwclient.CreationUnknown},
		{name: "an empty id", body: strings.Replace(refusal("5016"), "<SiteId>", "<id/><SiteId>", 1), want: bwclient.NotCreated},
		{name: "a Location", body: refusal("5016"), header: []string{"Location", "/accounts/1/orders/" + orderID}, want: bwclient.CreationUnknown},
		{name: "nothing", want: bwclient.CreationUnknown},
		{name: "an empty list", body: "<OrderResponse><ErrorList/>" + echo + "</OrderResponse>", want: bwclient.CreationUnknown},
		{name: "an empty error", body: "<OrderResponse><ErrorList><Error/></ErrorList>" + echo + "</OrderResponse>", want: bwclient.CreationUnknown},
		{name: "an error without a code", body: "<OrderResponse><ErrorList><Error><Description>no</Description></Error></ErrorList></OrderResponse>", want: bwclient.CreationUnknown},
		{name: "one code and one error without", body: "<OrderResponse><ErrorList><Error><Code>5016</Code></Error><Error><Description>no</Description></Error></ErrorList></OrderResponse>", want: bwclient.CreationUnknown},
		{name: "a word for a code", body: refusal("AccessDenied"), want: bwclient.CreationUnknown},
		{name: "an error outside the list", body: "<Error><Code>400</Code><Description>Bad Request</Description></Error>", want: bwclient.CreationUnknown},
		{name: "another resource's form", body: "<ErrorResponse><ResponseStatus><ErrorCode>1003</ErrorCode><Description>no</Description></ResponseStatus></ErrorResponse>", want: bwclient.CreationUnknown},
		{name: "a passing code outside the list", body: strings.Replace(refusal("5016"), "<Order>", "<ResponseStatus><ErrorCode>1010</ErrorCode></ResponseStatus><Order>", 1), want: bwclient.CreationUnknown},
		{name: "only the order", body: "<OrderResponse>" + echo + "</OrderResponse>", want: bwclient.CreationUnknown},
		{name: "cut off XML", body: refusal("5016")[:90], want: bwclient.CreationUnknown},
		{name: "two roots", body: refusal("5016") + refusal("5016"), want: bwclient.CreationUnknown},
		{name: "a gateway's page", body: own(t, "gateway.html"), want: bwclient.CreationUnknown},
		{name: "a gateway's JSON", body: own(t, "gateway.json"), want: bwclient.CreationUnknown},
	}
	for _, code := range []string{"1000", "1010", "5003", "5014", "5015", "5086"} {
		rows = append(rows, row{name: code, body: refusal(code), want: bwclient.CreationUnknown})
	}
	for _, code := range []string{
		"1001", "1003", "1006", "1008", "1016", "5000", "5001", "5002", "5004", "5005", "5007", "5008", "5012", "5016", "5017", "5018", "5020", "5022", "5023",
		"5033", "5034", "5051", "5052", "5060", "5062", "5070", "5071", "5073", "5076", "5093", "5094", "5095", "5165", "5183", "5198", "5211", "5217", "5218", "5257",
	} {
		rows = append(rows, row{name: code, body: refusal(code), want: bwclient.NotCreated})
	}
	for _, r := range rows {
		_, err := creates(t, answer(http.StatusBadRequest, r.body, r.header...))
		if got := bwclient.CreationOf(err); got != r.want {
			t.Errorf("400 with %s: %v; want %v (%v)", r.name, got, r.want, err)
		}
		if bwclient.NotSent(err) || bwclient.StatusOf(err) != 400 {
			t.Errorf("400 with %s: NotSent %t, status %d", r.name, bwclient.NotSent(err), bwclient.StatusOf(err))
		}
	}
}

func TestCreated(t *testing.T) {
	const other = "c9dg306c-gdh7-77j7-812c-0520c8f49123"
	location := func(id string) []string {
		return []string{"Location", "https://dashboard.bandwidth.com/v1.0/accounts/1/orders/" + id}
	}
	for _, c := range []struct {
		name, body string
		header     []string
		id         bwclient.OrderID // empty: the outcome is unknown
		status     string
	}{
		{name: "id", body: createdBody, id: orderID, status: "RECEIVED"},
		{name: "no OrderStatus", body: own(t, "orders_post/201_no_status.xml"), id: "a0b1c2d3-0001-4abc-8def-000000000001"},
		{name: "Id", body: own(t, "orders_post/201_Id.xml"), id: "a0b1c2d3-0001-4abc-8def-000000000002", status: "RECEIVED"},
		{name: "orderId", body: own(t, "orders_post/201_orderId.xml"), id: "a0b1c2d3-0001-4abc-8def-000000000003", status: "RECEIVED"},
		{name: "OrderId beside the order", body: own(t, "orders_post/201_OrderId_at_root.xml"), id: "a0b1c2d3-0001-4abc-8def-000000000004", status: "RECEIVED"},
		{name: "in space", body: own(t, "orders_post/201_space.xml"), id: "a0b1c2d3-0001-4abc-8def-000000000005", status: "RECEIVED"},
		{name: "the id in Location only", body: own(t, "orders_post/201_no_id.xml"), header: location(orderID), id: orderID, status: "RECEIVED"},
		{name: "an empty id and Location", body: "<OrderResponse><Order><id/></Order></OrderResponse>", header: location(orderID), id: orderID},
		{name: "an id that is none and Location", body: "<OrderResponse><Order><id>../../sites</id></Order></OrderResponse>", header: location(orderID), id: orderID},
		{name: "the body's id wins", body: createdBody, header: location(other), id: orderID, status: "RECEIVED"},
		{name: "empty body and Location", header: location(orderID), id: orderID},
		{name: "not XML and Location", body: "created", header: location(orderID), id: orderID},
		{name: "another root and Location", body: "<Links/>", header: location(orderID), id: orderID},
		{name: "a relative Location with a slash", header: []string{"Location", "/v1.0/accounts/1/orders/" + orderID + "/"}, id: orderID},
		{name: "a malformed host in Location", header: []string{"Location", "https://dashboard.bandwidth.com/v1.0/accounts/1/Orders/" + orderID + "?x=1"}, id: orderID},
		{name: "neither", body: own(t, "orders_post/201_no_id.xml")},
		{name: "nothing at all"},
		{name: "a Location of the list", header: []string{"Location", "/v1.0/accounts/1/orders"}},
		{name: "a Location of something else", header: []string{"Location", "/v1.0/accounts/1/portins/" + orderID}},
		{name: "a Location that is no URL", header: []string{"Location", "https://dashboard.bandwidth.com 443/orders/" + orderID}},
		{name: "an id that is none", body: "<OrderResponse><Order><id>../../sites</id></Order></OrderResponse>"},
		{name: "another root", body: strings.ReplaceAll(createdBody, "OrderResponse", "LnpOrderResponse")},
		{name: "a page", body: "<html><body>Created</body></html>"},
	} {
		created, err := creates(t, answer(http.StatusCreated, c.body, c.header...))
		if c.id == "" {
			if bwclient.CreationOf(err) != bwclient.CreationUnknown || bwclient.StatusOf(err) != 201 || created.OrderID != "" {
				t.Errorf("%s: %+v, %v; want an unknown outcome", c.name, created, err)
			}
			continue
		}
		if err != nil || created.OrderID != c.id || created.Status != c.status {
			t.Errorf("%s: %+v, %v; want order %s with status %q", c.name, created, err, c.id, c.status)
		}
	}
}
