package bwclient_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient"
)

// debugLog opens a debug log in a folder of the test's own.
func debugLog(t *testing.T) *bwclient.DebugLog {
	t.Helper()
	l, err := bwclient.OpenDebugLog(filepath.Join(t.TempDir(), "bandwidth.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// logged returns a client's calls as the debug log shows them.
func logged(t *testing.T, make func(log func(*bwclient.Config)) *bwclient.Client, calls func(*bwclient.Client)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bandwidth.log")
	l, err := bwclient.OpenDebugLog(path)
	if err != nil {
		t.Fatal(err)
	}
	calls(make(func(c *bwclient.Config) { c.DebugLog = l }))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestDebugLogHoldsNoSecret(t *testing.T) {
	const token = "eyJhbGciOiJSUzI1NiJ9.payload.signature"
	echo := "<OrderResponse><ErrorList><Error><Code>5002</Code><Description>" + password + "</Description></Error></ErrorList>" +
		"<CallbackCredentials><BasicAuthentication><Username>u</Username><Password>\n   line-secret\n  </Password></BasicAuthentication></CallbackCredentials>" +
		"<x:Password kind=\"a\">attribute-secret</x:Password><Password><![CDATA[cdata-secret]]></Password><PinNumber>pin-secret</PinNumber><WirelessInfo><AccountNumber>7712AABC</AccountNumber></WirelessInfo></OrderResponse>"
	tokenAnswer := "{\n  \"access_token\" :\n    \"" + token + "\",\n  \"expires_in\": 3600\n}"
	calls := func(c *bwclient.Client) {
		_ = c.Authorize(t.Context())
		_, _ = c.CreateOrder(t.Context(), order(), soon())
		_, _ = c.Sites(t.Context())
	}
	url := serve(t, answer(http.StatusBadRequest, echo, "Set-Cookie", "session=cookie-secret", "Www-Authenticate", `Basic realm="challenge-secret"`))
	basic := logged(t, func(log func(*bwclient.Config)) *bwclient.Client { return client(t, url, log) }, calls)
	tokenURL := tokens(t, answer(200, tokenAnswer, "Content-Type", "application/json"))
	oauth := logged(t, func(log func(*bwclient.Config)) *bwclient.Client { return oauthClient(t, url, tokenURL, log) }, calls)
	refused := tokens(t, answer(401, `{"error":"invalid_client","client_secret":"`+clientSecret+`"}`))
	noToken := logged(t, func(log func(*bwclient.Config)) *bwclient.Client { return oauthClient(t, url, refused, log) }, calls)
	for name, text := range map[string]string{"basic": basic, "oauth": oauth, "refused": noToken} {
		for _, secret := range []string{
			"hunter2", "YXBpLXVzZXI6", clientSecret, "s3cret%2Fwith", "Y2xpZW50LTc3", token, "payload", "line-secret", "attribute-secret", "cdata-secret", "pin-secret",
			"cookie-secret", "challenge-secret",
		} {
			if secret == "hunter2" && name != "basic" {
				continue // no secret of that client's
			}
			if strings.Contains(text, secret) {
				t.Errorf("%s: the log tells %q:\n%s", name, secret, text)
			}
		}
		if !strings.Contains(text, "> Authorization: ***\n") {
			t.Errorf("%s: the log shows no masked header:\n%s", name, text)
		}
	}
	for _, want := range []string{"POST " + url + "/accounts/" + account + "/orders", "> <Order><CustomerOrderId>East-coast-kq3</CustomerOrderId>", "< 400 Bad Request after ", "<Code>5002</Code>", "GET " + url} {
		if !strings.Contains(basic, want) {
			t.Errorf("the log does not hold %q:\n%s", want, basic)
		}
	}
}

// TestDebugLogOfFailures: a call without an answer, and one whose answer breaks off, are logged too.
func TestDebugLogOfFailures(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "<SitesResponse> half")
			w.(http.Flusher).Flush()
		}
		panic(http.ErrAbortHandler)
	})
	text := logged(t, func(log func(*bwclient.Config)) *bwclient.Client { return client(t, url, log) }, func(c *bwclient.Client) {
		if _, err := c.CreateOrder(t.Context(), order(), soon()); bwclient.CreationOf(err) != bwclient.CreationUnknown {
			t.Errorf("%v", err)
		}
		if _, err := c.Sites(t.Context()); err == nil {
			t.Error("half an answer is no error")
		}
	})
	for _, want := range []string{"> <Order>", "< no answer after ", "EOF", "< 200 OK after ", "< <SitesResponse> half"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log does not hold %q:\n%s", want, text)
		}
	}
	text = logged(t, func(log func(*bwclient.Config)) *bwclient.Client { return client(t, "http://127.0.0.1:1", log) }, func(c *bwclient.Client) {
		if _, err := c.CreateOrder(t.Context(), order(), soon()); !bwclient.NotSent(err) {
			t.Errorf("%v", err)
		}
	})
	if !strings.Contains(text, "refused") {
		t.Errorf("a refused connection: %s", text)
	}
}

// TestDebugLogChangesNothing: what is decided on is the same with the log.
func TestDebugLogChangesNothing(t *testing.T) {
	for _, status := range []int{200, 201, 400, 401, 429, 500} {
		url := serve(t, answer(status, createdBody))
		got, err := client(t, url).CreateOrder(t.Context(), order(), soon())
		with, errWith := client(t, url, func(c *bwclient.Config) { c.DebugLog = debugLog(t) }).CreateOrder(t.Context(), order(), soon())
		if !cmp.Equal(got, with) || bwclient.CreationOf(err) != bwclient.CreationOf(errWith) || fmt.Sprint(err) != fmt.Sprint(errWith) {
			t.Errorf("HTTP %d: %v, %v without the log; %v, %v with it", status, got, err, with, errWith)
		}
	}
}

// TestDebugLogDoesNotInterleave: exchanges of many callers stand in one piece each.
func TestDebugLogDoesNotInterleave(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		answer(200, strings.Repeat("<!-- "+r.URL.Query().Get("customerOrderId")+" -->\n", 50)+"<ResponseSelectWrapper/>")(w, r)
	})
	const callers, each = 8, 10
	text := logged(t, func(log func(*bwclient.Config)) *bwclient.Client { return client(t, url, log) }, func(c *bwclient.Client) {
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				for j := range each {
					if _, err := c.OrdersByCustomerOrderID(t.Context(), fmt.Sprintf("c-%d-%d", i, j)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
	exchanges := strings.Split(strings.TrimPrefix(text, "=== "), "\n=== ")
	if len(exchanges) != callers*each {
		t.Fatalf("%d exchanges; want %d", len(exchanges), callers*each)
	}
	id := regexp.MustCompile(`c-\d+-\d+`)
	for _, e := range exchanges {
		ids := id.FindAllString(e, -1)
		for _, other := range ids {
			if other != ids[0] {
				t.Fatalf("%s and %s in one exchange:\n%s", ids[0], other, e)
			}
		}
		if len(ids) != 51 {
			t.Fatalf("%d lines of an exchange:\n%s", len(ids), e)
		}
	}
}
