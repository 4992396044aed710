package bwclient_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bandwidthworker/bwclient"
)

const (
	account  = "9900012"
	basePath = "/gateway/api" // not empty, so that an absolute path would be found out
	number   = "+19195551234"
	orderID  = "34adcd9f-2c4a-4631-9dae-d1f318ed57bc"

	user     = "api-user"
	password = "hunter2-is-secret"
)

// createdBody is a 201's body that names the order.
const createdBody = `<OrderResponse><Order><CustomerOrderId>c-1</CustomerOrderId><id>` + orderID + `</id></Order><OrderStatus>RECEIVED</OrderStatus></OrderResponse>`

// refusal is a 400's body with the codes.
func refusal(codes ...string) string {
	var b strings.Builder
	b.WriteString("<OrderResponse><ErrorList>")
	for _, c := range codes {
		fmt.Fprintf(&b, "<Error><Code>%s</Code><Description>no</Description></Error>", c)
	}
	b.WriteString("</ErrorList><Order><CustomerOrderId>c-1</CustomerOrderId><SiteId>743</SiteId></Order></OrderResponse>")
	return b.String()
}

func order(numbers ...string) bwclient.Order {
	if len(numbers) == 0 {
		numbers = []string{number}
	}
	return bwclient.Order{CustomerOrderID: "East-coast-kq3", Name: "East coast-kq3", SiteID: "743", PeerID: "303716", Numbers: numbers, PartialAllowed: true}
}

// manyNumbers are as many numbers as one order takes.
func manyNumbers() []string {
	out := make([]string, bwclient.MaxNumbers)
	for i := range out {
		out[i] = fmt.Sprintf("+1919555%04d", i)
	}
	return out
}

func soon() time.Time { return time.Now().Add(20 * time.Second) }

// client returns a client with Basic credentials and a transport of its own.
func client(t testing.TB, url string, change ...func(*bwclient.Config)) *bwclient.Client {
	t.Helper()
	transport := bwclient.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	c := bwclient.Config{AccountID: account, BaseURL: url, Auth: bwclient.Basic(user, password), Transport: transport}
	for _, f := range change {
		f(&c)
	}
	out, err := bwclient.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// serve starts a server below the base path and returns the client's base URL. A request for another path fails the
// test.
func serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(basePath+"/", http.StripPrefix(basePath, h))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s is not below the base path %s: the client built an absolute path", r.Method, r.URL.Path, basePath)
		http.NotFound(w, r)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL + basePath
}

// answer answers every request alike.
func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// raw starts a server that gives each connection to f, and returns the client's base URL. Connections that f leaves
// open are closed when the test ends.
func raw(t testing.TB, f func(conn net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			wg.Go(func() { f(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return "http://" + l.Addr().String() + basePath
}

// readRequest reads a whole request from a connection; false where none comes.
func readRequest(r *bufio.Reader) (*http.Request, []byte, bool) {
	req, err := http.ReadRequest(r)
	if err != nil {
		return nil, nil, false
	}
	body, err := io.ReadAll(req.Body)
	return req, body, err == nil
}

// stub is a transport without a network, for decoders and fuzzing.
type stub struct {
	status int
	header http.Header
	body   string
}

func (s stub) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	header := s.header
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{
		StatusCode: s.status, Status: fmt.Sprint(s.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(strings.NewReader(s.body)), Request: r,
	}, nil
}

// stubbed returns a client whose every call gets the answer.
func stubbed(t testing.TB, s stub) *bwclient.Client {
	t.Helper()
	c, err := bwclient.New(bwclient.Config{AccountID: account, BaseURL: "http://api.invalid" + basePath, Auth: bwclient.Basic(user, password), Transport: s})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fixtures returns the folder of recorded payloads. Where it is missing the test is skipped, and fails in CI.
func fixtures(t testing.TB) string {
	t.Helper()
	dir := filepath.Join("..", "..", "shared", "fixtures")
	if _, err := os.Stat(filepath.Join(dir, "INDEX.md")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the recorded payloads are missing: %v", err)
		}
		t.Skipf("the recorded payloads are not here: %v", err)
	}
	return dir
}

// recorded reads a recorded payload.
func recorded(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixtures(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// own reads a payload of testdata.
func own(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
