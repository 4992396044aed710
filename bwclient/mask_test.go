package bwclient

import (
	"bytes"
	"errors"
	"net"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"
)

func TestMask(t *testing.T) {
	secrets := []string{"se&ret/1", "abc"}
	for text, want := range map[string]string{
		"a se&ret/1 b":                      "a *** b",
		"se%26ret%2F1":                      "***",
		"se&amp;ret/1":                      "***",
		"abc is too short to be looked for": "abc is too short to be looked for",
		`{"access_token":"a\"b","x":"y"}`:   `{"access_token":"***","x":"y"}`,
		`{"Access_Token" : "cut`:            `{"Access_Token" : "***`,
		"grant=x&client_secret=y%20z&b=c":   "grant=x&client_secret=***&b=c",
		"<Password>a</Password>":            "<Password>***</Password>",
		"<apiPassword>a<b/></apiPassword>":  "<apiPassword>***<b/></apiPassword>",
		"<PinNumber>\n1\n</PinNumber>":      "<PinNumber>***</PinNumber>",
		"<AccountNumber>7A</AccountNumber>": "<AccountNumber>***</AccountNumber>",
		"<AccountId>1</AccountId>":          "<AccountId>1</AccountId>",
		"<PasswordHint>a</PasswordHint>":    "<PasswordHint>a</PasswordHint>",
		"Bearer abcdefghijk":                "Bearer ***",
		"a basic plan":                      "a basic plan",
	} {
		if got := mask(text, secrets); got != want {
			t.Errorf("%q becomes %q; want %q", text, got, want)
		}
	}
}

// TestMaskWords: a PIN is masked where it stands alone, and a number that holds its digits stays.
func TestMaskWords(t *testing.T) {
	for text, want := range map[string]string{
		"PIN 1234 is wrong":           "PIN *** is wrong",
		"1234":                        "***",
		"1234 1234,1234":              "*** ***,***",
		"+19195551234 and 1234567890": "+19195551234 and 1234567890",
		"PIN1234 1234x ü1234":         "PIN*** ***x ü***",
		"12341234 ab12345":            "12341234 ab12345",
		"x7 7x 7":                     "x7 7x ***", // too short
		"17712-AB 7712-ABC x7712-AB1": "17712-AB 7712-ABC x***1",
		"<PinNumber>1234</PinNumber>": "<PinNumber>***</PinNumber>",
		"7712-AB":                     "***",
	} {
		if got := maskWords(text, []string{"", "1234", "7712-AB", "7"}); got != want {
			t.Errorf("%q becomes %q; want %q", text, got, want)
		}
	}
}

// FuzzMask: no secret is left.
func FuzzMask(f *testing.F) {
	for _, s := range []string{"", "<Password>", `{"access_token":"`, "Bearer ", "client_secret=", "***", "%2F", "hunter2-is-secret"} {
		f.Add(s, "hunter2-is-secret", s)
	}
	f.Add("Basic ", "dXNlcjpwYXNzd29yZA==", " \n")
	f.Fuzz(func(t *testing.T, before, secret, after string) {
		if len(secret) < minSecret || strings.Contains(secret, "*") {
			return // the mask itself is made of asterisks
		}
		if masked := mask(before+secret+after, []string{secret}); strings.Contains(masked, secret) {
			t.Errorf("%q is left in %q", secret, masked)
		}
	})
}

// TestP11_Passed: either clock is enough.
func TestP11_Passed(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		at   time.Time
		want bool
	}{
		"past": {now.Add(-time.Nanosecond), true}, "past on the wall clock": {now.Add(-time.Second).Round(0), true},
		"future": {now.Add(time.Hour), false}, "future on the wall clock": {now.Add(time.Hour).Round(0), false}, "zero": {time.Time{}, true},
	} {
		if got := passed(c.at); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// broken is a connection that takes so many bytes and then fails.
type broken struct {
	net.Conn
	takes int
}

func (b *broken) Write(p []byte) (int, error) {
	n := min(len(p), b.takes)
	if b.takes -= n; n < len(p) {
		return n, errors.New("broken")
	}
	return n, nil
}

// TestCountedConn: a write counts as soon as one byte of it has left.
func TestCountedConn(t *testing.T) {
	for takes, want := range map[int]int64{0: 0, 1: 1, 5: 1, 6: 2} {
		c := &countedConn{Conn: &broken{takes: takes}}
		_, _ = c.Write([]byte("12345"))
		_, _ = c.Write([]byte("67890"))
		if got := c.writes.Load(); got != want {
			t.Errorf("a connection that takes %d bytes: %d writes; want %d", takes, got, want)
		}
	}
	now := time.Now()
	var sent bytes.Buffer
	c := &countedConn{Conn: pipeTo{&sent}}
	late, early := now.Add(-time.Second).Round(0), now.Add(time.Hour)
	c.sendBy.Store(&early)
	if _, err := c.Write([]byte("a")); err != nil {
		t.Error(err)
	}
	c.sendBy.Store(&late)
	for range 2 { // the deadline holds for each write until it is lifted
		if _, err := c.Write([]byte("b")); !errors.Is(err, ErrTooLate) {
			t.Errorf("%v; want ErrTooLate", err)
		}
	}
	if sent.String() != "a" || c.writes.Load() != 1 {
		t.Errorf("%q was sent in %d writes", sent.String(), c.writes.Load())
	}
}

// pipeTo is a connection that keeps what is written.
type pipeTo struct{ to *bytes.Buffer }

func (p pipeTo) Write(b []byte) (int, error)    { return p.to.Write(b) }
func (pipeTo) Read([]byte) (int, error)         { return 0, errors.New("nothing to read") }
func (pipeTo) Close() error                     { return nil }
func (pipeTo) LocalAddr() net.Addr              { return nil }
func (pipeTo) RemoteAddr() net.Addr             { return nil }
func (pipeTo) SetDeadline(time.Time) error      { return nil }
func (pipeTo) SetReadDeadline(time.Time) error  { return nil }
func (pipeTo) SetWriteDeadline(time.Time) error { return nil }

// got tells the watch of a connection.
func got(w *writeWatch, conn net.Conn) { w.trace().GotConn(httptrace.GotConnInfo{Conn: conn}) }

// TestNothingSent: where a transport tells nothing, or a second connection comes into it, nothing is sure.
func TestNothingSent(t *testing.T) {
	conn := &countedConn{Conn: pipeTo{new(bytes.Buffer)}}
	for name, c := range map[string]struct {
		do   func(*writeWatch)
		want bool
	}{
		"a transport that tells nothing": {func(*writeWatch) {}, false},
		"no connection was had":          {func(w *writeWatch) { w.trace().GetConn("") }, true},
		"nothing was written":            {func(w *writeWatch) { w.trace().GetConn(""); got(w, conn) }, true},
		"a byte was written": {func(w *writeWatch) {
			w.trace().GetConn("")
			got(w, conn)
			_, _ = conn.Write([]byte("a"))
		}, false},
		"a connection that does not count": {func(w *writeWatch) { w.trace().GetConn(""); got(w, pipeTo{}) }, false},
		"a second connection":              {func(w *writeWatch) { w.trace().GetConn(""); got(w, conn); got(w, conn) }, false},
	} {
		w := &writeWatch{sendBy: time.Now().Add(time.Hour)}
		c.do(w)
		if sure := w.nothingSent(); sure != c.want {
			t.Errorf("%s: %t", name, sure)
		}
	}
}
