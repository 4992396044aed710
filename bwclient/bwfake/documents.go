package bwfake

import (
	"encoding/xml"
	"io"
	"net/http"
	"slices"
	"strings"
)

// maxPosted bounds the document of a POST that orders something, in bytes; maxChange that of a small one.
const (
	maxPosted = 4 << 20
	maxChange = 1 << 20
)

// document reads the request's body as XML; ok is false for one that has another root or is none.
func (x *exchange) document(root string, limit int64) (e element, ok bool) {
	body, err := io.ReadAll(io.LimitReader(x.r.Body, limit))
	if err != nil {
		x.drop() // the request did not come in whole
	}
	ok = xml.Unmarshal(body, &e) == nil && e.XMLName.Local == root
	return e, ok
}

// isXML reports whether the request says that its body is XML.
func (x *exchange) isXML() bool {
	media := x.r.Header.Get("Content-Type")
	return strings.HasPrefix(media, "application/xml") || strings.HasPrefix(media, "text/xml")
}

// broken answers what makes the vendor fail.
func (x *exchange) broken() {
	x.write(http.StatusInternalServerError, "text/html", "<html><body>Internal Server Error</body></html>")
}

// posted reads the document of a POST whose faults go by its customer order id; ok is false where it is answered.
func (s *Server) posted(x *exchange, endpoint, root string) (e element, ok bool) {
	e, readable := x.document(root, maxPosted)
	x.coid, _ = e.get("CustomerOrderId")
	x.fate = s.fault(x.r.Method, endpoint, x.coid)
	switch {
	case x.before(s):
		return e, false
	case !x.isXML():
		x.empty(http.StatusUnsupportedMediaType)
		return e, false
	case !readable:
		x.broken()
		return e, false
	}
	return e, true
}

// paged cuts a page out of a list, from the entry on whose id the page's name is; next names the following page, empty
// for the last. An empty list is answered as the options say, and then ok is false.
func paged[T any](s *Server, x *exchange, all []T, id func(T) string, page string, size int) (part []T, next string, ok bool) {
	if len(all) == 0 {
		switch s.opts.EmptyList {
		case http.StatusNoContent:
			x.empty(http.StatusNoContent)
			return nil, "", false
		case http.StatusNotFound:
			x.notFound()
			return nil, "", false
		}
	}
	start := 0
	if page != "1" {
		if start = slices.IndexFunc(all, func(e T) bool { return id(e) == page }); start < 0 {
			start = len(all)
		}
	}
	end := min(start+size, len(all))
	if end < len(all) {
		next = id(all[end])
	}
	return all[start:end], next, true
}
