package bwclient

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of a port-in, as documented for POST /portins.
const (
	maxLOAPerson      = 15
	maxSubscriberName = 25
	maxPortInText     = 64 // of what has no documented limit
)

// PortIn is an order to bring numbers here from another carrier (POST /portins in Bandwidth's specification of its
// Numbers API). Which of its fields a port needs depends on where the numbers come from; Bandwidth says what is missing.
type PortIn struct {
	// CustomerOrderID is ours, under the rules of an order's. Bandwidth finds port-ins by it.
	CustomerOrderID string
	SiteID          string
	// PeerID is the SIP peer; empty means the site's default.
	PeerID string
	// Numbers are 1 to 5000, E.164, without duplicates.
	Numbers []string
	// RequestedFocDate is a day, with or without a Z after it, or an RFC 3339 time; empty for the next possible one.
	RequestedFocDate string
	// BillingTelephoneNumber and NewBillingTelephoneNumber are E.164; empty leaves them out.
	BillingTelephoneNumber    string
	NewBillingTelephoneNumber string
	// Subscriber is whom the losing carrier knows the numbers by; nil leaves it out.
	Subscriber *Subscriber
	// LoaAuthorizingPerson has authorised the port; 15 characters at most.
	LoaAuthorizingPerson string
	// WirelessInfo holds secrets; nil leaves it out.
	WirelessInfo *WirelessInfo
	// TnAttributes are such as Protected.
	TnAttributes []string
	// Triggered and PartialPort are left out where they are nil.
	Triggered   *bool
	PartialPort *bool
	// AlternateSpid and TargetRespOrgID are left out where they are empty.
	AlternateSpid   string
	TargetRespOrgID string
	// Draft holds the order until it is submitted at Bandwidth, which drops drafts that nobody changes after a couple of
	// days.
	Draft bool
}

// Subscriber is whom the losing carrier knows the numbers by. Names hold 25 characters at most. It is sent as it stands,
// without the elements that are empty.
type Subscriber struct {
	SubscriberType string          `xml:"SubscriberType,omitempty"`
	BusinessName   string          `xml:"BusinessName,omitempty"`
	FirstName      string          `xml:"FirstName,omitempty"`
	LastName       string          `xml:"LastName,omitempty"`
	ServiceAddress *ServiceAddress `xml:"ServiceAddress"`
}

// ServiceAddress is where the losing carrier serves the numbers.
type ServiceAddress struct {
	HousePrefix     string `xml:"HousePrefix,omitempty"`
	HouseNumber     string `xml:"HouseNumber,omitempty"`
	HouseSuffix     string `xml:"HouseSuffix,omitempty"`
	PreDirectional  string `xml:"PreDirectional,omitempty"`
	StreetName      string `xml:"StreetName,omitempty"`
	StreetSuffix    string `xml:"StreetSuffix,omitempty"`
	PostDirectional string `xml:"PostDirectional,omitempty"`
	AddressLine2    string `xml:"AddressLine2,omitempty"`
	City            string `xml:"City,omitempty"`
	StateCode       string `xml:"StateCode,omitempty"`
	Zip             string `xml:"Zip,omitempty"`
	PlusFour        string `xml:"PlusFour,omitempty"`
	County          string `xml:"County,omitempty"`
	Country         string `xml:"Country,omitempty"`
	AddressType     string `xml:"AddressType,omitempty"`
}

// WirelessInfo is what the losing carrier lets the numbers go for. It prints as ***, and no error and no debug log
// holds it.
type WirelessInfo struct {
	AccountNumber string `xml:"AccountNumber,omitempty"`
	PinNumber     string `xml:"PinNumber,omitempty"`
}

// String keeps the secrets out of whatever is printed.
func (WirelessInfo) String() string { return "***" }

// GoString is [WirelessInfo.String] for %#v.
func (w WirelessInfo) GoString() string { return w.String() }

// portInBody is the wire form of a port-in, its elements in the order of the documented sample.
type portInBody struct {
	XMLName          xml.Name      `xml:"LnpOrder"`
	RequestedFocDate string        `xml:"RequestedFocDate,omitempty"`
	AlternateSpid    string        `xml:"AlternateSpid,omitempty"`
	Billing          string        `xml:"BillingTelephoneNumber,omitempty"`
	NewBilling       string        `xml:"NewBillingTelephoneNumber,omitempty"`
	SiteID           string        `xml:"SiteId"`
	PeerID           string        `xml:"PeerId,omitempty"`
	Subscriber       *Subscriber   `xml:"Subscriber"`
	LoaPerson        string        `xml:"LoaAuthorizingPerson,omitempty"`
	WirelessInfo     *WirelessInfo `xml:"WirelessInfo"`
	TargetRespOrgID  string        `xml:"TargetRespOrgId,omitempty"`
	TnAttributes     *attributes   `xml:"TnAttributes"`
	Numbers          []string      `xml:"ListOfPhoneNumbers>PhoneNumber"`
	CustomerOrderID  string        `xml:"CustomerOrderId"`
	Triggered        *bool         `xml:"Triggered"`
	PartialPort      *bool         `xml:"PartialPort"`
	ProcessingStatus string        `xml:"ProcessingStatus,omitempty"`
}

type attributes struct {
	List []string `xml:"TnAttribute"`
}

// encode checks the port-in and returns its wire form.
func (p PortIn) encode() ([]byte, error) {
	if err := checkNames(p.CustomerOrderID, ""); err != nil {
		return nil, err
	}
	if p.SiteID == "" {
		return nil, fmt.Errorf("%w: SiteId is missing", ErrInvalidOrder)
	}
	digits, err := wireNumbers(p.Numbers)
	if err != nil {
		return nil, err
	}
	if err := p.checkTexts(); err != nil {
		return nil, err
	}
	body := portInBody{
		RequestedFocDate: p.RequestedFocDate, AlternateSpid: p.AlternateSpid, SiteID: p.SiteID, PeerID: p.PeerID, Subscriber: p.Subscriber,
		LoaPerson: p.LoaAuthorizingPerson, WirelessInfo: p.WirelessInfo, TargetRespOrgID: p.TargetRespOrgID, Numbers: digits,
		CustomerOrderID: p.CustomerOrderID, Triggered: p.Triggered, PartialPort: p.PartialPort,
	}
	if _, err := time.Parse(time.DateOnly, p.RequestedFocDate); err == nil {
		body.RequestedFocDate += "Z" // as the samples write a day
	}
	for _, b := range []struct {
		name, number string
		to           *string
	}{{"BillingTelephoneNumber", p.BillingTelephoneNumber, &body.Billing}, {"NewBillingTelephoneNumber", p.NewBillingTelephoneNumber, &body.NewBilling}} {
		if b.number == "" {
			continue
		}
		if *b.to, err = fromE164(b.number); err != nil {
			return nil, fmt.Errorf("%w: %s %w", ErrInvalidOrder, b.name, err)
		}
	}
	if len(p.TnAttributes) > 0 {
		body.TnAttributes = &attributes{p.TnAttributes}
	}
	if p.Draft {
		body.ProcessingStatus = statusDraft
	}
	return document(body)
}

// checkTexts checks what a person has written. What holds a secret is not repeated.
func (p PortIn) checkTexts() error {
	type text struct {
		name, value string
		limit       int
	}
	texts := []text{
		{"RequestedFocDate", p.RequestedFocDate, maxPortInText}, {"LoaAuthorizingPerson", p.LoaAuthorizingPerson, maxLOAPerson},
		{"AlternateSpid", p.AlternateSpid, maxPortInText}, {"TargetRespOrgId", p.TargetRespOrgID, maxPortInText},
	}
	if s := p.Subscriber; s != nil {
		texts = append(texts, text{"SubscriberType", s.SubscriberType, maxPortInText}, text{"BusinessName", s.BusinessName, maxSubscriberName},
			text{"FirstName", s.FirstName, maxSubscriberName}, text{"LastName", s.LastName, maxSubscriberName})
		if a := s.ServiceAddress; a != nil {
			for _, value := range []string{a.HousePrefix, a.HouseNumber, a.HouseSuffix, a.PreDirectional, a.StreetName, a.StreetSuffix, a.PostDirectional,
				a.AddressLine2, a.City, a.StateCode, a.Zip, a.PlusFour, a.County, a.Country, a.AddressType} {
				texts = append(texts, text{"ServiceAddress", value, maxPortInText})
			}
		}
	}
	if w := p.WirelessInfo; w != nil {
		texts = append(texts, text{"AccountNumber", w.AccountNumber, maxPortInText}, text{"PinNumber", w.PinNumber, maxPortInText})
	}
	for _, a := range p.TnAttributes {
		texts = append(texts, text{"TnAttribute", a, maxPortInText})
	}
	for _, t := range texts {
		switch n := utf8.RuneCountInString(t.value); {
		case n > t.limit:
			return fmt.Errorf("%w: %s has %d characters; at most %d are taken", ErrInvalidOrder, t.name, n, t.limit)
		case unprintable(t.value):
			return fmt.Errorf("%w: %s holds a character that cannot be shown", ErrInvalidOrder, t.name)
		}
	}
	return nil
}

// secrets are those that no error may repeat.
func (w *WirelessInfo) secrets() []string {
	if w == nil {
		return nil
	}
	return []string{w.AccountNumber, w.PinNumber}
}

// portInForm is the answer to POST /portins. A 201 may carry errors: the order exists all the same, as an EXCEPTION.
var portInForm = form{root: "LnpOrderResponse", below: "portins", taken: []int{http.StatusCreated}, word: "ProcessingStatus", refusal: "Errors", orStatus: true}

// CreatePortIn sends a port-in, once, under the rules of [Client.CreateOrder]: ask [CreationOf] of its error whether one
// may exist. Bandwidth knows no key by which a repeat is the same order.
func (c *Client) CreatePortIn(ctx context.Context, p PortIn, sendBy time.Time) (Created, error) {
	k := call{
		op: "create port-in " + clip(p.CustomerOrderID, 2*maxCustomerOrderID), method: http.MethodPost, path: "portins",
		customerOrderID: p.CustomerOrderID, secrets: p.WirelessInfo.secrets(),
	}
	data, err := p.encode()
	if err != nil {
		return Created{}, k.invalid(err)
	}
	created, err := c.create(ctx, k, portInForm, data, sendBy)
	for i := range created.Errors {
		created.Errors[i].Description = maskWords(created.Errors[i].Description, k.secrets)
	}
	return created, err
}

// PortInStatus is a port-in as GET /portins/{id} tells of it. Any of its fields may be empty.
type PortInStatus struct {
	OrderID         OrderID
	CustomerOrderID string
	// Status is Bandwidth's word as it stands: DRAFT, SUBMITTED, FOC, COMPLETE, EXCEPTION, CANCELLED and others.
	Status string
	// Numbers are those of the order, in E.164; they are here once the status is COMPLETE.
	Numbers []string
	// Errors are the order's, each code and description once; Failed are those that name numbers.
	Errors []Detail
	Failed []Detail
	// RequestedFocDate and ActualFocDate are as Bandwidth writes them.
	RequestedFocDate string
	ActualFocDate    string
	SiteID           string
	PeerID           string
}

// PortIn reads a port-in (GET /portins/{id}). It blocks for [Config.GetTimeout] at the most. One that does not exist, or
// a draft that was dropped, is an error with status 404. An answer that is about another order, or is no port-in, is
// [ErrUnreadable]. sent is what the port-in was sent with, where that is known: errors repeat it though the answer leaves
// its element out, and then neither the status nor an error nor the debug log holds it.
func (c *Client) PortIn(ctx context.Context, id OrderID, sent *WirelessInfo) (PortInStatus, error) {
	k := call{op: "read port-in " + clip(string(id), maxText), path: "portins/" + string(id), order: id, secrets: sent.secrets()}
	if err := k.checkID(); err != nil {
		return PortInStatus{}, err
	}
	root, err := c.readAs(ctx, k, nil, portInForm.root)
	if err != nil {
		return PortInStatus{}, err
	}
	s, err := decodePortIn(root, id, k.secrets)
	if err != nil {
		return PortInStatus{}, k.unreadable(err)
	}
	return s, nil
}

// decodePortIn reads an answer. Its descriptions repeat neither the secrets that are given nor those that it holds itself.
func decodePortIn(root *node, id OrderID, secrets []string) (PortInStatus, error) {
	if root == nil {
		return PortInStatus{}, fmt.Errorf("%w: it is empty", ErrUnreadable)
	}
	// A read normally leaves the id out.
	if got := root.childText("OrderId", "id"); got != "" && !strings.EqualFold(got, string(id)) {
		return PortInStatus{}, fmt.Errorf("%w: it is about port-in %q", ErrUnreadable, clip(got, 64))
	}
	s := PortInStatus{
		OrderID: id, CustomerOrderID: root.childText("CustomerOrderId"), Status: root.childText(portInForm.word),
		Numbers: numbersIn(root.child("ListOfPhoneNumbers")), RequestedFocDate: root.childText("RequestedFocDate"), ActualFocDate: root.childText("ActualFocDate"),
		SiteID: root.childText("SiteId"), PeerID: root.childText("PeerId"),
	}
	wireless := root.child("WirelessInfo")
	secrets = slices.Concat(secrets, []string{wireless.childText("AccountNumber"), wireless.childText("PinNumber")})
	errs := portInErrors(root)
	s.Errors = errs.list
	for _, n := range errs.numbers {
		if numberShape.MatchString(n) {
			d := errs.named[n]
			d.Number = n
			s.Failed = append(s.Failed, d)
		}
	}
	for _, list := range [][]Detail{s.Errors, s.Failed} {
		for i := range list {
			list[i].Description = maskWords(list[i].Description, secrets)
		}
	}
	return s, nil
}

// portInErrors reads the errors of a port-in: repeated right under the root, and those of toll-free numbers in a list of
// their own.
func portInErrors(root *node) errorList {
	all := &node{}
	for _, e := range root.all(portInForm.refusal) {
		one := *e
		one.name = "Error"
		all.children = append(all.children, &one)
	}
	all.children = append(all.children, root.child("TollFreeValidationErrors").child("ErrorList").all("Error")...)
	return decodeErrors(all)
}

const statusDraft = "DRAFT"

// portInStatuses are the words of a port-in in the order of its life: those that the list's filter is documented with
// (error 15518), and two that Bandwidth's own command line tool asks for as well.
var portInStatuses = []string{
	statusDraft, "VALIDATE_DRAFT_TFNS", "VALID_DRAFT_TFNS", "INVALID_DRAFT_TFNS", "VALIDATE_TFNS", "INVALID_TFNS", "PENDING_DOCUMENTS", "SUBMITTED",
	"PENDING_CARRIER_APPROVAL", "MISSING_REQUIREMENTS", "REQUESTED_SUPP", "EXCEPTION", "FOC", "SNAPBACK", "REQUESTED_CANCEL", "CANCELLED", "COMPLETE",
}

// undocumentedStatuses are those that a filter may not know: then nothing can be found by them.
var undocumentedStatuses = []string{"PENDING_CARRIER_APPROVAL", "MISSING_REQUIREMENTS"}

// codeUnknownStatus is Bandwidth's for a filter with a status that it does not know.
const codeUnknownStatus = "15518"

// portInListForm is the answer to GET /portins.
var portInListForm = listForm{root: "LNPResponseWrapper", entry: "lnpPortInfoForGivenStatus", status: "ProcessingStatus"}

// PortInsByCustomerOrderID lists the port-ins that Bandwidth finds by a customer order id, under the rules of
// [Client.OrdersByCustomerOrderID]. A list without a status leaves drafts out, so it asks without one and then for each
// status in turn, in the order of a port-in's life, and stops at the first list that holds the id exactly: up to 18
// calls. turn, unless it is nil, is called before each of them; its error ends the search.
func (c *Client) PortInsByCustomerOrderID(ctx context.Context, customerOrderID string, turn func(context.Context) error) ([]OrderSummary, error) {
	var out []OrderSummary
	seen := map[OrderID]bool{}
	for _, status := range append([]string{""}, portInStatuses...) {
		if turn != nil {
			if err := turn(ctx); err != nil {
				return nil, err
			}
		}
		k := call{op: "list the port-ins with customer order id " + clip(customerOrderID, maxText), path: "portins", customerOrderID: customerOrderID}
		query := url.Values{"customerOrderId": {customerOrderID}}
		if status != "" {
			k.op += " and status " + status
			query.Set("status", strings.ToLower(status)) // as the documented links write it
		}
		list, err := c.list(ctx, k, portInListForm, query)
		if StatusOf(err) == http.StatusBadRequest && slices.Contains(undocumentedStatuses, status) && slices.Contains(Codes(err), codeUnknownStatus) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, o := range list {
			if !seen[o.OrderID] {
				seen[o.OrderID] = true
				out = append(out, o)
			}
		}
		if slices.ContainsFunc(list, func(o OrderSummary) bool { return o.CustomerOrderID == customerOrderID }) {
			return out, nil
		}
	}
	return out, nil
}
