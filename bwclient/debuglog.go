package bwclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// DebugLog is a file to which each exchange with Bandwidth is appended as text, for developers. Credentials and
// tokens are replaced by ***. It is safe for concurrent use: exchanges never interleave.
type DebugLog struct {
	mu   sync.Mutex
	file *os.File
}

// OpenDebugLog opens or makes the file with mode 0600. It refuses a symbolic link and anything that is not a regular
// file: the usual place is a directory that everybody may write to. The caller must close it.
func OpenDebugLog(path string) (*DebugLog, error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("debug_log %s is not a regular file (%s); remove it or set debug_log to another path", path, info.Mode().Type())
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|openFlags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open debug_log: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err == nil && !oursAlone(info) {
		err = errors.New("it belongs to somebody else, or has a second name")
	}
	if err == nil {
		err = f.Chmod(0o600) // it may have been made by somebody less careful
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("debug_log %s: %w; set debug_log to another path", path, err)
	}
	return &DebugLog{file: f}, nil
}

// Close closes the file.
func (l *DebugLog) Close() error { return l.file.Close() }

func (l *DebugLog) append(text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.file.Write(text) // a full disk must not stop an order
}

// debugTransport writes each exchange that goes through it to the log.
type debugTransport struct {
	next    http.RoundTripper
	log     *DebugLog
	secrets func() []string
}

// RoundTrip sends the request on. The exchange is written when the answer's body is closed, or when there is no
// answer.
func (t *debugTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	began := time.Now()
	var sent, received copied
	out := req
	if req.Body != nil {
		out = req.Clone(req.Context())
		out.Body = &teeBody{Reader: io.TeeReader(req.Body, &sent), Closer: req.Body}
		out.GetBody = nil // P11
	}
	resp, err := t.next.RoundTrip(out)
	if err != nil {
		t.write(began, req, sent.text(), fmt.Sprintf("no answer after %s: %v\n", time.Since(began).Round(time.Millisecond), err), nil, nil)
		return nil, err
	}
	var once sync.Once
	body := resp.Body
	resp.Body = &teeBody{Reader: io.TeeReader(body, &received), Closer: closer(func() error {
		once.Do(func() {
			answer := fmt.Sprintf("%s after %s\n", resp.Status, time.Since(began).Round(time.Millisecond))
			t.write(began, req, sent.text(), answer, resp.Header, received.text())
		})
		return body.Close()
	})}
	return resp, nil
}

// write appends an exchange.
func (t *debugTransport) write(began time.Time, req *http.Request, sent []byte, answer string, header http.Header, received []byte) {
	secrets := t.secrets()
	words := slices.Concat(secretsOf(req.Context()), carrierSecrets(sent), carrierSecrets(received))
	sent, received = []byte(maskWords(string(sent), words)), []byte(maskWords(string(received), words))
	// Bodies are masked before each line gets its mark: a secret's form may go over several lines.
	sent, received = []byte(mask(string(sent), secrets)), []byte(mask(string(received), secrets))
	var b strings.Builder
	fmt.Fprintf(&b, "=== %s %s %s\n", began.UTC().Format(time.RFC3339Nano), req.Method, req.URL.Redacted())
	writeHeader(&b, "> ", req.Header)
	writeText(&b, "> ", sent)
	writeText(&b, "< ", []byte(answer))
	writeHeader(&b, "< ", header)
	writeText(&b, "< ", received)
	b.WriteByte('\n')
	t.log.append([]byte(mask(b.String(), secrets)))
}

// copied is a copy of what was read from a body, up to the body's limit. A transport may still read a request's body
// after it has returned the answer, so it is guarded.
type copied struct {
	mu   sync.Mutex
	data []byte
}

// Write never fails: the copy must not disturb what is copied.
func (c *copied) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.data = append(c.data, p[:min(len(p), maxBody-len(c.data))]...)
	return len(p), nil
}

func (c *copied) text() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.data)
}

type teeBody struct {
	io.Reader
	io.Closer
}

type closer func() error

func (c closer) Close() error { return c() }

func writeHeader(b *strings.Builder, mark string, h http.Header) {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range h[name] {
			switch strings.ToLower(name) {
			case "authorization", "proxy-authorization", "cookie", "set-cookie", "www-authenticate":
				value = "***"
			}
			fmt.Fprintf(b, "%s%s: %s\n", mark, name, value)
		}
	}
}

func writeText(b *strings.Builder, mark string, text []byte) {
	if len(text) == 0 {
		return
	}
	for line := range strings.Lines(string(text)) {
		b.WriteString(mark + strings.TrimRight(line, "\r\n") + "\n")
	}
}

// secretForms are how credentials look where their text is not known, as a token's on its way here: OAuth's JSON and
// form fields, the XML elements of passwords and of what a losing carrier lets numbers go for, and tokens and passwords as headers carry them.
var secretForms = []*regexp.Regexp{
	regexp.MustCompile(`(?i)("(?:access_token|refresh_token|id_token|client_secret|password)"\s*:\s*")(?:[^"\\]|\\.)*`),
	regexp.MustCompile(`(?i)(\b(?:access_token|refresh_token|id_token|client_secret|password)=)[^&\s]*`),
	regexp.MustCompile(`(?is)(<(?:\w+:)?(?:[a-z]*password|pinnumber|accountnumber|access_token)(?:\s[^>]*)?>)(?:<!\[CDATA\[.*?\]\]>|[^<])*`),
	regexp.MustCompile(`(?i)(\b(?:bearer|basic)\s+)[a-z0-9._~+/=-]{8,}`),
}

// carrierForm is what a losing carrier lets numbers go for, as a port-in carries it.
var carrierForm = regexp.MustCompile(`(?is)<(?:\w+:)?(?:pinnumber|accountnumber)(?:\s[^>]*)?>([^<]*)<`)

// carrierSecrets finds those in a body, so that they can be masked where an error's description repeats them.
func carrierSecrets(body []byte) []string {
	var out []string
	for _, m := range carrierForm.FindAllSubmatch(body, -1) {
		out = append(out, strings.TrimSpace(html.UnescapeString(string(m[1]))))
	}
	return out
}

// minSecret is the length below which a secret's own text is not looked for: it would stand in half the words.
const minSecret = 4

// mask replaces credentials in a text by ***: the given ones wherever they stand, and what has a credential's form.
func mask(text string, secrets []string) string {
	for _, s := range secrets {
		if len(s) < minSecret {
			continue
		}
		for _, form := range []string{s, url.QueryEscape(s), html.EscapeString(s)} {
			text = strings.ReplaceAll(text, form, "***")
		}
	}
	for _, form := range secretForms {
		text = form.ReplaceAllString(text, "${1}***")
	}
	return text
}

// maskWords replaces secrets by *** where they stand as words of their own: a PIN of four digits stands in many numbers.
// Of the longer ones a letter beside a digit ends a word as well, as in PIN4711.
func maskWords(text string, secrets []string) string {
	for _, s := range secrets {
		if s == "" {
			continue
		}
		first, _ := utf8.DecodeRuneInString(s)
		last, _ := utf8.DecodeLastRuneInString(s)
		short := len(s) < minSecret
		var b strings.Builder
		from := 0
		for {
			i := strings.Index(text[from:], s)
			if i < 0 {
				break
			}
			i, end := from+i, from+i+len(s)
			before, _ := utf8.DecodeLastRuneInString(text[:i])
			after, _ := utf8.DecodeRuneInString(text[end:])
			if oneWord(before, first, short) || oneWord(last, after, short) {
				b.WriteString(text[from:end])
			} else {
				b.WriteString(text[from:i] + "***")
			}
			from = end
		}
		text = b.String() + text[from:]
	}
	return text
}

// oneWord reports whether two characters that stand side by side belong to one word: any letters and digits, or where it
// is not strict only two of a kind. The end of a text belongs to none.
func oneWord(a, b rune, strict bool) bool {
	letters, digits := unicode.IsLetter(a) && unicode.IsLetter(b), unicode.IsDigit(a) && unicode.IsDigit(b)
	return letters || digits || strict && isWord(a) && isWord(b)
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// secretsKey is the context's key of the secrets of a request whose body does not hold them.
type secretsKey struct{}

// withSecrets returns a context for a request whose answer may repeat secrets.
func withSecrets(ctx context.Context, secrets []string) context.Context {
	return context.WithValue(ctx, secretsKey{}, secrets)
}

func secretsOf(ctx context.Context) []string {
	secrets, _ := ctx.Value(secretsKey{}).([]string)
	return secrets
}
