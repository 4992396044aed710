package bwfake

import (
	"encoding/xml"
	"strconv"
	"strings"
	"time"
)

const xmlHead = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`

func esc(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

func tag(b *strings.Builder, name, value string) {
	b.WriteString("<" + name + ">" + esc(value) + "</" + name + ">")
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// orderResponse is the answer to a POST: the order echoed, with its id when it was created.
func orderResponse(o *order, id string, errs []apiError, status bool, now time.Time) string {
	var b strings.Builder
	b.WriteString(xmlHead + "<OrderResponse>")
	if len(errs) > 0 {
		writeErrors(&b, errs)
	}
	if o.created.IsZero() {
		o.created = now
	}
	writeOrder(&b, o, id)
	if status {
		tag(&b, "OrderStatus", "RECEIVED")
	}
	b.WriteString("</OrderResponse>")
	return b.String()
}

func writeErrors(b *strings.Builder, errs []apiError) {
	b.WriteString("<ErrorList>")
	for _, e := range errs {
		b.WriteString("<Error>")
		tag(b, "Code", e.code)
		tag(b, "Description", e.description)
		if e.number != "" {
			tag(b, "TelephoneNumber", e.number)
		}
		b.WriteString("</Error>")
	}
	b.WriteString("</ErrorList>")
}

func writeOrder(b *strings.Builder, o *order, id string) {
	b.WriteString("<Order>")
	if o.coid != "" {
		tag(b, "CustomerOrderId", o.coid)
	}
	if o.name != "" {
		tag(b, "Name", o.name)
	}
	tag(b, "OrderCreateDate", stamp(o.created))
	if o.peer != "" {
		tag(b, "PeerId", o.peer)
	}
	tag(b, "BackOrderRequested", strconv.FormatBool(o.backorder))
	if id != "" {
		tag(b, "id", id)
	}
	if o.search != nil {
		echoElement(b, &o.search.echo)
	} else {
		b.WriteString("<ExistingTelephoneNumberOrderType><TelephoneNumberList>")
		for _, n := range o.asked {
			tag(b, "TelephoneNumber", n)
		}
		b.WriteString("</TelephoneNumberList></ExistingTelephoneNumberOrderType>")
	}
	tag(b, "PartialAllowed", strconv.FormatBool(o.partial))
	tag(b, "SiteId", o.site)
	b.WriteString("</Order>")
}
