package bwclient

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// node is an element of an answer. Answers are read into a tree and asked by element name, without case: fields may
// be absent, empty, single or many, new ones may appear at any time, and ids are spelled orderId, OrderId or id
// depending on the resource.
type node struct {
	name     string
	text     string // without the space around it
	children []*node

	raw []byte // the text while it is read
}

const (
	maxXMLDepth = 40
	maxXMLNodes = 400_000
)

// parse reads an XML document into a tree. Bytes that are not UTF-8 become question marks: a city's name in another
// encoding must not hide an order's status.
func parse(data []byte) (*node, error) {
	dec := xml.NewDecoder(bytes.NewReader(bytes.ToValidUTF8(data, []byte("?"))))
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	dec.Entity = xml.HTMLEntity
	var root *node
	var stack []*node
	count := 0
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s", ErrUnreadable, oneLine(err.Error(), maxExcerpt)) // it may quote the answer
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if count++; count > maxXMLNodes || len(stack) >= maxXMLDepth {
				return nil, fmt.Errorf("%w: it holds too many elements", ErrUnreadable)
			}
			n := &node{name: t.Name.Local}
			switch {
			case len(stack) > 0:
				top := stack[len(stack)-1]
				top.children = append(top.children, n)
			case root == nil:
				root = n
			default:
				return nil, fmt.Errorf("%w: it has a second root", ErrUnreadable)
			}
			stack = append(stack, n)
		case xml.EndElement:
			top := stack[len(stack)-1]
			top.text, top.raw = strings.TrimSpace(string(top.raw)), nil
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				top := stack[len(stack)-1]
				top.raw = append(top.raw, t...)
			}
		}
	}
	if root == nil {
		return nil, fmt.Errorf("%w: it holds no XML element", ErrUnreadable)
	}
	return root, nil
}

// parseAs reads a document whose root must be one of the names.
func parseAs(data []byte, roots ...string) (*node, error) {
	n, err := parse(data)
	if err != nil {
		return nil, err
	}
	for _, r := range roots {
		if strings.EqualFold(n.name, r) {
			return n, nil
		}
	}
	return nil, fmt.Errorf("%w: its root is <%s>, not <%s>", ErrUnreadable, clip(n.name, 40), roots[0])
}

// child returns the first child with one of the names; nil-safe.
func (n *node) child(names ...string) *node {
	if n == nil {
		return nil
	}
	for _, want := range names {
		for _, c := range n.children {
			if strings.EqualFold(c.name, want) {
				return c
			}
		}
	}
	return nil
}

// all returns the children with the name.
func (n *node) all(name string) []*node {
	if n == nil {
		return nil
	}
	var out []*node
	for _, c := range n.children {
		if strings.EqualFold(c.name, name) {
			out = append(out, c)
		}
	}
	return out
}

// value returns the text of a descendant by its path; empty where it is absent.
func (n *node) value(path ...string) string {
	for _, p := range path {
		n = n.child(p)
	}
	if n == nil {
		return ""
	}
	return n.text
}

// walk calls f for the node and everything below it.
func (n *node) walk(f func(*node)) {
	if n == nil {
		return
	}
	f(n)
	for _, c := range n.children {
		c.walk(f)
	}
}

var tenDigits = regexp.MustCompile(`^[2-9]\d{9}$`)

// toE164 turns a number as Bandwidth writes it into E.164: ten digits get +1. What is neither is returned as it is.
func toE164(s string) string {
	s = strings.TrimSpace(s)
	switch {
	case tenDigits.MatchString(s):
		return "+1" + s
	case len(s) == 11 && s[0] == '1' && tenDigits.MatchString(s[1:]):
		return "+" + s
	default:
		return s
	}
}

// fromE164 turns an E.164 number of North America into the ten digits of version 1 of the API.
func fromE164(s string) (string, error) {
	digits, ok := strings.CutPrefix(s, "+1")
	if !ok || !tenDigits.MatchString(digits) {
		return "", fmt.Errorf("%q is not a telephone number of North America in E.164", s)
	}
	return digits, nil
}

// decodeDetails finds Bandwidth's errors in an answer, in any of the shapes it uses: Error below ErrorList or
// SearchResult, ResponseStatus with ErrorCode, repeated Errors, IrisStatus, Status with Code, and resultCode with
// resultMessage. Of anything else it returns nothing.
func decodeDetails(body []byte) []Detail {
	root, err := parse(body)
	if err != nil {
		return nil
	}
	var out []Detail
	general := root.child("Status")
	root.walk(func(n *node) {
		switch strings.ToLower(n.name) {
		case "error", "errors", "responsestatus", "irisstatus", "status", "fileuploadresponse":
			if n == general && root.child("Errors") != nil {
				return // a port-in's, which repeats the HTTP status: its errors say what is wrong
			}
		default:
			return
		}
		d := Detail{Code: n.childText("Code", "ErrorCode", "resultCode"), Description: n.childText("Description", "Message", "resultMessage")}
		if d.Code == "" && d.Description == "" {
			return
		}
		numbers := n.all("TelephoneNumber")
		numbers = append(numbers, n.child("TelephoneNumbers").all("Tn")...)
		if len(numbers) == 0 {
			out = append(out, d)
		}
		for _, number := range numbers {
			d.Number = toE164(leaves(number)[0])
			out = append(out, d)
		}
	})
	return out
}

// childText returns the text of the first child with one of the names; nil-safe.
func (n *node) childText(names ...string) string {
	if c := n.child(names...); c != nil {
		return c.text
	}
	return ""
}

// leaves returns the numbers in a number's element, which may wrap them in FullNumber.
func leaves(n *node) []string {
	var out []string
	for _, full := range n.all("FullNumber") {
		out = append(out, full.text)
	}
	if len(out) == 0 {
		out = append(out, n.text)
	}
	return out
}

// maxExcerpt bounds the text of an answer that could not be decoded.
const maxExcerpt = 160

// excerpt returns the beginning of a body that could not be decoded, on one line.
func excerpt(body string) string { return oneLine(body[:min(len(body), 4*maxExcerpt)], maxExcerpt) }

// oneLine puts a text of somebody else's on one line, and cuts it.
func oneLine(s string, n int) string {
	printable := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "?"))
	return clip(strings.Join(strings.Fields(printable), " "), n)
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
