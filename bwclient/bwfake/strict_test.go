package bwfake_test

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"

	"bandwidthworker/bwclient/bwfake"
)

// TestWrongTags renames each element of a documented order: none of them may be bought.
func TestWrongTags(t *testing.T) {
	s := start(t, bwfake.Options{})
	full := orderXML("c-1", digits)
	for _, tag := range []string{
		"Order", "CustomerOrderId", "Name", "ExistingTelephoneNumberOrderType", "TelephoneNumberList", "TelephoneNumber", "SiteId", "PeerId", "PartialAllowed", "BackOrderRequested",
	} {
		for _, other := range []string{"X" + tag, strings.ToLower(tag), strings.ToUpper(tag)} {
			wrong := strings.NewReplacer("<"+tag+">", "<"+other+">", "</"+tag+">", "</"+other+">").Replace(full)
			if wrong == full {
				t.Fatalf("the order has no element %s", tag)
			}
			if r := s.call("POST", "/accounts/"+account+"/orders", wrong); r.status != 400 && r.status != 500 {
				t.Errorf("%s in place of %s: %+v", other, tag, r)
			}
		}
	}
	for name, body := range map[string]string{
		"FullNumber in the list":  strings.ReplaceAll(full, "TelephoneNumber>"+digits+"</TelephoneNumber", "FullNumber>"+digits+"</FullNumber"),
		"FullNumber in a number":  strings.ReplaceAll(full, ">"+digits+"<", "><FullNumber>"+digits+"</FullNumber><"),
		"a stranger beside":       strings.Replace(full, "<SiteId>", "<Site>1</Site><SiteId>", 1),
		"a stranger beside lists": strings.Replace(full, "<TelephoneNumberList>", "<Tn>1</Tn><TelephoneNumberList>", 1),
		"a search type":           strings.Replace(full, "<SiteId>", "<AreaCodeSearchAndOrderType/><SiteId>", 1),
	} {
		if r := s.call("POST", "/accounts/"+account+"/orders", body); r.status != 400 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if len(s.Orders()) != 0 {
		t.Errorf("%d orders were made of wrong ones", len(s.Orders()))
	}
	s.buy("c-1", digits)
}

// TestRefusals: each documented code.
func TestRefusals(t *testing.T) {
	s := start(t, bwfake.Options{Sites: []bwfake.Site{
		{ID: "1234", Name: "a", Peers: []bwfake.Peer{{ID: "234222", Default: true}}}, {ID: "77", Name: "no default peer", Peers: []bwfake.Peer{{ID: "1"}}},
	}})
	full := orderXML("c-1", digits)
	set := func(tag, value string) string {
		from := strings.Index(full, "<"+tag+">") + len(tag) + 2
		return full[:from] + value + full[strings.Index(full, "</"+tag+">"):]
	}
	many := make([]string, 5001)
	for i := range many {
		many[i] = fmt.Sprintf("919555%04d", i)
		if i >= 400 { // no magic numbers
			many[i] = fmt.Sprintf("919%03d%04d", 556+i/5000, 1000+i)
		}
	}
	many = slices.DeleteFunc(many, func(n string) bool { return strings.HasSuffix(n, "0400") })
	for len(many) < 5001 {
		many = append(many, fmt.Sprintf("929555%04d", 1000+len(many)))
	}
	for name, c := range map[string]struct {
		body, code string
	}{
		"no site":                        {strings.Replace(full, "<SiteId>1234</SiteId>", "", 1), "5022"},
		"an unknown site":                {set("SiteId", "9"), "5016"},
		"another site's peer":            {set("PeerId", "345333"), "5023"},
		"no default peer":                {strings.NewReplacer("<SiteId>1234", "<SiteId>77", "<PeerId>234222</PeerId>", "").Replace(full), "5020"},
		"a long customer order id":       {set("CustomerOrderId", strings.Repeat("c", 41)), "5052"},
		"an underscore in it":            {set("CustomerOrderId", "a_b"), "5052"},
		"a long name":                    {set("Name", strings.Repeat("n", 51)), "5002"},
		"a flag that is none":            {set("PartialAllowed", "maybe"), "5217"},
		"an empty list":                  {orderXML("c-1"), "5001"},
		"no list":                        {set("ExistingTelephoneNumberOrderType", ""), "5001"},
		"a number twice":                 {orderXML("c-1", digits, "9195551235", digits), "5093"},
		"a number in E.164":              {orderXML("c-1", number), "5070"},
		"a short number":                 {orderXML("c-1", "919555123"), "5070"},
		"an area that begins with 1":     {orderXML("c-1", "1195551234"), "5070"},
		"an exchange that begins with 0": {orderXML("c-1", "9190551234"), "5070"},
		"too many numbers":               {orderXML("c-1", many...), "5095"},
	} {
		r := s.call("POST", "/accounts/"+account+"/orders", c.body)
		if got := s.read(r); r.status != 400 || !slices.Equal(got.Codes, []string{c.code}) || got.ID != "" || r.header.Get("Location") != "" {
			t.Errorf("%s: HTTP %d with codes %v and id %q; want %s", name, r.status, got.Codes, got.ID, c.code)
		}
	}
	missing := strings.NewReplacer("<ExistingTelephoneNumberOrderType>", "", "</ExistingTelephoneNumberOrderType>", "").Replace(full)
	for name, body := range map[string]string{
		"the type's wrapper is missing": missing, "no type": strings.Replace(missing, "TelephoneNumberList", "TnAttributes", 2),
		"not XML": "order, please", "cut off": full[:60], "another root": "<LnpOrder/>",
	} {
		if r := s.call("POST", "/accounts/"+account+"/orders", body); r.status != 500 {
			t.Errorf("%s: %+v; want 500", name, r)
		}
	}
	for _, media := range []string{"application/json", "text/plain", ""} {
		if r := s.call("POST", "/accounts/"+account+"/orders", full, "Content-Type", media); r.status != 415 {
			t.Errorf("content type %q: %+v", media, r)
		}
	}
	if len(s.Orders()) != 0 {
		t.Errorf("refused orders were created: %v", s.Orders())
	}
	if r := s.call("POST", "/accounts/"+account+"/orders", full, "Content-Type", "text/xml; charset=utf-8"); r.status != 201 {
		t.Errorf("%+v", r)
	}
}

// TestHalfARequest: an order that does not come in whole is neither created nor answered.
func TestHalfARequest(t *testing.T) {
	s := start(t, bwfake.Options{})
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	body := orderXML("c-1", digits)
	fmt.Fprintf(conn, "POST /api/accounts/%s/orders HTTP/1.1\r\nHost: sim\r\nAuthorization: Basic dXNlcjpzZWNyZXQ=\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%s",
		account, len(body)+1, body)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || len(answer) != 0 || len(s.Orders()) != 0 {
		t.Errorf("%q, %v, orders %v", answer, err, s.Orders())
	}
}
