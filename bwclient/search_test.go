package bwclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient"
)

// searchAnswered returns what a search gets from a server that answers every request alike, and what was asked.
func searchAnswered(t testing.TB, q bwclient.Query, status int, body string, header ...string) ([]bwclient.Found, *http.Request, error) {
	t.Helper()
	var asked *http.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	defer s.Close()
	c, err := bwclient.New(bwclient.Config{AccountID: "9900012", BaseURL: s.URL + "/base", Auth: bwclient.Basic("somebody", "hunter2"), GetTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	found, err := c.Search(context.Background(), q)
	return found, asked, err
}

// TestSearchParameters: every parameter reaches the wire under its documented name; quantity and LCA always do.
func TestSearchParameters(t *testing.T) {
	always := func(more ...string) url.Values {
		v := url.Values{"quantity": {"7"}, "LCA": {"false"}}
		for i := 0; i+1 < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	for _, c := range []struct {
		name string
		q    bwclient.Query
		want url.Values
	}{
		{"area code", bwclient.Query{AreaCode: "919"}, always("areaCode", "919")},
		{"npa-nxx", bwclient.Query{NPANXX: "919555"}, always("npaNxx", "919555")},
		{"npa-nxx-x", bwclient.Query{NPANXXX: "9195551"}, always("npaNxxx", "9195551")},
		{"rate center", bwclient.Query{RateCenter: "SALT LAKE", State: "UT"}, always("rateCenter", "SALT LAKE", "state", "UT")},
		{"city", bwclient.Query{City: "Saint-Jérôme & Co", State: "NC"}, always("city", "Saint-Jérôme & Co", "state", "NC")},
		{"zip", bwclient.Query{Zip: "276011234"}, always("zip", "276011234")},
		{"lata", bwclient.Query{LATA: "426"}, always("lata", "426")},
		{"local vanity", bwclient.Query{LocalVanity: "newcar", EndsIn: true, AreaCode: "919"}, always("localVanity", "newcar", "endsIn", "true", "areaCode", "919")},
		{"toll-free vanity", bwclient.Query{TollFreeVanity: "flowers"}, always("tollFreeVanity", "flowers")},
		{"toll-free wildcard", bwclient.Query{TollFreeWildcard: "85*"}, always("tollFreeWildCardPattern", "85*")},
		{"detail", bwclient.Query{AreaCode: "919", Detail: true}, always("areaCode", "919", "enableTNDetail", "true")},
		{"local calling area", bwclient.Query{NPANXX: "919555", LocalCallingArea: true}, always("npaNxx", "919555", "LCA", "true")},
	} {
		c.q.Quantity = 7
		_, asked, err := searchAnswered(t, c.q, 200, "<SearchResult/>")
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if asked.Method != http.MethodGet || asked.URL.Path != "/base/accounts/9900012/availableNumbers" {
			t.Errorf("%s: asked %s %s", c.name, asked.Method, asked.URL.Path)
		}
		if diff := cmp.Diff(c.want, asked.URL.Query()); diff != "" {
			t.Errorf("%s: parameters (-want +got):\n%s", c.name, diff)
		}
		if got := asked.Header.Get("Accept"); got != "application/xml" {
			t.Errorf("%s: Accept %q: some resources answer JSON without it", c.name, got)
		}
	}
}

func TestSearchQuantityIsChecked(t *testing.T) {
	for _, n := range []int{-1, 0, 5001} {
		_, asked, err := searchAnswered(t, bwclient.Query{AreaCode: "919", Quantity: n}, 200, "<SearchResult/>")
		if !errors.Is(err, bwclient.ErrInvalidQuery) || asked != nil || bwclient.NotSent(err) {
			t.Errorf("quantity %d: error %v, asked %v; want ErrInvalidQuery and nothing asked", n, err, asked != nil)
		}
	}
	for _, n := range []int{1, 5000} {
		if _, asked, err := searchAnswered(t, bwclient.Query{AreaCode: "919", Quantity: n}, 200, "<SearchResult/>"); err != nil || asked.URL.Query().Get("quantity") != fmt.Sprint(n) {
			t.Errorf("quantity %d: %v", n, err)
		}
	}
}

func searchOwn(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "search", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestSearchAnswers(t *testing.T) {
	numbers := func(list ...string) []bwclient.Found {
		var out []bwclient.Found
		for _, n := range list {
			out = append(out, bwclient.Found{Number: n})
		}
		return out
	}
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   []bwclient.Found
	}{
		{"a list", 200, searchOwn(t, "numbers.xml"), numbers("+19195550001", "+19195550002")},
		{"details", 200, searchOwn(t, "details.xml"), []bwclient.Found{
			{Number: "+19195550001", City: "DURHAM", RateCenter: "DURHAM", State: "NC", LATA: "426", Tier: "0", VendorID: "49", VendorName: "Example CLEC"},
			{Number: "+18555550002"},
		}},
		{"another country", 200, searchOwn(t, "international.xml"), numbers("+442079460001")},
		{"nothing", 200, searchOwn(t, "nothing.xml"), nil},
		{"nothing, with a count", 200, "<SearchResult><ResultCount>0</ResultCount></SearchResult>", nil},
		{"nothing, with empty lists", 200, "<SearchResult><TelephoneNumberList/><TelephoneNumberDetailList/></SearchResult>", nil},
		{"nothing, without a body", 204, "", nil},
	} {
		found, _, err := searchAnswered(t, bwclient.Query{AreaCode: "919", Quantity: 1}, c.status, c.body)
		if diff := cmp.Diff(c.want, found); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
	}
}

// TestSearchFailures: no failure looks like nothing found (kazoo-parity: "All failures, a wrong password included,
// look like an empty list").
func TestSearchFailures(t *testing.T) {
	for _, c := range []struct {
		name        string
		status      int
		body        string
		header      []string
		codes       []string
		unreadable  bool
		credentials bool
		retryAt     bool
	}{
		{name: "criteria refused", status: 400, body: searchOwn(t, "refused.xml"), codes: []string{"4001"}},
		{name: "an error under a 200", status: 200, body: searchOwn(t, "refused.xml"), codes: []string{"4001"}},
		{name: "a system error", status: 400, body: "<SearchResult><Error><Code>4009</Code><Description>try again</Description></Error></SearchResult>", codes: []string{"4009"}},
		{name: "wrong password", status: 401, credentials: true},
		{name: "missing role", status: 403, credentials: true},
		{name: "not found", status: 404, body: "<html/>"},
		{name: "rate limit", status: 429, header: []string{"X-RateLimit-Reset", fmt.Sprint(time.Now().Add(time.Hour).Unix())}, retryAt: true},
		{name: "rate limit that does not say", status: 429, retryAt: true},
		{name: "server error", status: 500},
		{name: "gateway", status: 502, body: "<html><body>Bad Gateway</body></html>"},
		{name: "unavailable", status: 503, header: []string{"Retry-After", "9"}, retryAt: true},
		{name: "redirect", status: 303, header: []string{"Location", "http://127.0.0.1:1/"}},
		{name: "an empty 200", status: 200, unreadable: true},
		{name: "a page", status: 200, body: "<html><body>Welcome</body></html>", unreadable: true},
		{name: "cut off", status: 200, body: "<SearchResult><ResultCount>2</ResultCount><TelephoneNumberList>", unreadable: true},
		{name: "another resource", status: 200, body: "<OrderResponse/>", unreadable: true},
		{name: "no list", status: 200, body: "<SearchResult><Message>hello</Message></SearchResult>", unreadable: true},
		{name: "counts and lists none", status: 200, body: "<SearchResult><ResultCount>3</ResultCount><TelephoneNumberList/></SearchResult>", unreadable: true},
		{name: "not a number", status: 200, body: "<SearchResult><TelephoneNumberList><TelephoneNumber>none</TelephoneNumber></TelephoneNumberList></SearchResult>", unreadable: true},
	} {
		found, _, err := searchAnswered(t, bwclient.Query{AreaCode: "919", Quantity: 1}, c.status, c.body, c.header...)
		var e *bwclient.Error
		if !errors.As(err, &e) || len(found) != 0 {
			t.Errorf("%s: found %v, error %v; want the package's error", c.name, found, err)
			continue
		}
		if e.StatusCode != c.status || e.Creation != bwclient.NotCreated || e.Method != http.MethodGet {
			t.Errorf("%s: status %d, creation %s, method %s", c.name, e.StatusCode, e.Creation, e.Method)
		}
		if diff := cmp.Diff(c.codes, bwclient.Codes(err)); diff != "" {
			t.Errorf("%s: codes (-want +got):\n%s", c.name, diff)
		}
		_, retry := bwclient.RetryAt(err)
		if errors.Is(err, bwclient.ErrUnreadable) != c.unreadable || bwclient.IsCredentials(err) != c.credentials || retry != c.retryAt {
			t.Errorf("%s: unreadable %v, credentials %v, retry %v: %v", c.name, errors.Is(err, bwclient.ErrUnreadable), bwclient.IsCredentials(err), retry, err)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error holds the password: %v", c.name, err)
		}
	}
}

// TestSearchUnreachable: nobody answers.
func TestSearchUnreachable(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	at := s.URL
	s.Close()
	c, err := bwclient.New(bwclient.Config{AccountID: "1", BaseURL: at, Auth: bwclient.Basic("somebody", "hunter2")})
	if err != nil {
		t.Fatal(err)
	}
	found, err := c.Search(t.Context(), bwclient.Query{AreaCode: "919", Quantity: 1})
	if err == nil || len(found) != 0 || bwclient.StatusOf(err) != 0 {
		t.Errorf("found %v, error %v; want an error without status", found, err)
	}
}

// TestSearchRecorded reads every recorded answer to a search.
func TestSearchRecorded(t *testing.T) {
	want := map[string]struct {
		count       int
		first, last string
		city        string
	}{
		"guides/numberOrderingSummary_01_SearchResult.xml":        {7, "+15405514342", "+15402278090", ""},
		"guides/onDemandNumberSearchAndOrder_02_SearchResult.xml": {7, "+15405514342", "+15402278090", ""},
		"guides/searchingAndOrderingNumbers_01_SearchResult.xml":  {2, "+16672286710", "+15756186700", ""},
		"guides/searchingAndOrderingNumbers_09_SearchResult.xml":  {2, "+18012286710", "+18012286700", ""},
		"guides/searchingAndOrderingNumbers_10_SearchResult.xml":  {2, "+18002286710", "+18006186700", ""},
		"kazoo/find_by_npa.xml":                                   {2, "+19733705112", "+19733705183", "MENDHAM"},
		"kazoo/find_by_npa_no_detail.xml":                         {2, "+19733705112", "+19733705183", ""},
		"kazoo/find_tollfree.xml":                                 {15, "+18552522133", "+18552523752", ""},
		"openapi-v1/availableNumbers__get__200__example.xml":      {2, "+14354776112", "+14357095160", ""},
	}
	for i := 2; i <= 8; i++ {
		w := want["guides/searchingAndOrderingNumbers_01_SearchResult.xml"]
		w.first, w.last = "+19192286710", "+19192286700"
		want[fmt.Sprintf("guides/searchingAndOrderingNumbers_%02d_SearchResult.xml", i)] = w
	}
	for name, w := range want {
		found, _, err := searchAnswered(t, bwclient.Query{AreaCode: "919", Quantity: 1}, 200, recorded(t, name))
		if err != nil || len(found) != w.count {
			t.Errorf("%s: %d numbers, error %v; want %d", name, len(found), err, w.count)
			continue
		}
		if found[0].Number != w.first || found[len(found)-1].Number != w.last || found[0].City != w.city {
			t.Errorf("%s: from %+v to %+v; want %s to %s, city %q", name, found[0], found[len(found)-1], w.first, w.last, w.city)
		}
	}
	refusal := recorded(t, "openapi-v1/availableNumbers__get__400__example.xml")
	if _, _, err := searchAnswered(t, bwclient.Query{AreaCode: "919", Quantity: 1}, 400, refusal); !cmp.Equal(bwclient.Codes(err), []string{"4010"}) {
		t.Errorf("the recorded refusal: %v; want the code 4010", err)
	}
}

// FuzzSearchAnswer: whatever answers a search, what it finds are telephone numbers, each once, and what is no answer
// is an error.
func FuzzSearchAnswer(f *testing.F) {
	found := 0
	for _, pattern := range []string{"testdata/search/*.xml", "../../shared/fixtures/*/*SearchResult*.xml", "../../shared/fixtures/*/availableNumbers*.xml", "../../shared/fixtures/kazoo/find_*.xml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			for _, status := range []int{200, 204, 400} {
				f.Add(status, string(data))
			}
			found++
		}
	}
	if found < 5 {
		f.Fatalf("only %d payloads to begin with", found)
	}
	shape := regexp.MustCompile(`^\+[1-9]\d{6,14}$`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		got, err := stubbed(t, stub{status: status, body: body}).Search(context.Background(), bwclient.Query{AreaCode: "919", Quantity: 1})
		if err != nil {
			var e *bwclient.Error
			if !errors.As(err, &e) || len(got) > 0 {
				t.Errorf("found %v, error %v", got, err)
			}
			return
		}
		if status != 200 && status != 204 {
			t.Errorf("status %d is no answer, but there was no error", status)
		}
		seen := map[string]bool{}
		for _, n := range got {
			if !shape.MatchString(n.Number) || seen[n.Number] {
				t.Errorf("found %q", n.Number)
			}
			seen[n.Number] = true
		}
	})
}
