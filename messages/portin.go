package messages

import (
	"fmt"
	"regexp"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"
)

// PortInFields are the port-in order's fields, by the vendor's names in snake case (POST /portins in Bandwidth's
// specification of its Numbers API). Which of them a port needs depends on where the numbers come from: Bandwidth says
// what is missing.
type PortInFields struct {
	// BillingTelephoneNumber is the number on the bill of the losing carrier, NewBillingTelephoneNumber the one that the
	// bill has afterwards, where others stay there. Both are E.164.
	BillingTelephoneNumber    string `json:"billing_telephone_number,omitempty"`
	NewBillingTelephoneNumber string `json:"new_billing_telephone_number,omitempty"`
	// RequestedFOCDate is the day, or the time, at which the numbers are to come: 2026-03-02 or RFC 3339. Bandwidth takes
	// the next possible one where it is left out, and refuses week-ends, holidays, and what is too soon or too far.
	RequestedFOCDate string `json:"requested_foc_date,omitempty"`
	// LOAAuthorizingPerson has authorised the port; 15 characters at most.
	LOAAuthorizingPerson string        `json:"loa_authorizing_person,omitempty"`
	Subscriber           *Subscriber   `json:"subscriber,omitempty"`
	WirelessInfo         *WirelessInfo `json:"wireless_info,omitempty"`
	// TnAttributes are of Protected, External and Imported.
	TnAttributes []string `json:"tn_attributes,omitempty"`
	// Triggered asks for another time of the day than Bandwidth's own.
	Triggered *bool `json:"triggered,omitempty"`
	// PartialPort says that other numbers of the bill stay where they are.
	PartialPort *bool `json:"partial_port,omitempty"`
	// AlternateSPID is the customer's own service provider id, 1 to 10 letters and digits.
	AlternateSPID string `json:"alternate_spid,omitempty"`
	// TargetRespOrgID is, for toll-free numbers, where they are ported to: five letters and digits.
	TargetRespOrgID string `json:"target_resp_org_id,omitempty"`
	// Draft holds the order at Bandwidth until it is submitted there.
	Draft *bool `json:"draft,omitempty"`
}

// Subscriber is whom the losing carrier knows the numbers by.
type Subscriber struct {
	// SubscriberType is BUSINESS or RESIDENTIAL.
	SubscriberType string `json:"subscriber_type,omitempty"`
	// BusinessName, FirstName and LastName hold 25 characters at most.
	BusinessName   string          `json:"business_name,omitempty"`
	FirstName      string          `json:"first_name,omitempty"`
	LastName       string          `json:"last_name,omitempty"`
	ServiceAddress *ServiceAddress `json:"service_address,omitempty"`
}

// ServiceAddress is where the losing carrier serves the numbers. Each field holds 64 characters at most, as far as it
// says nothing else.
type ServiceAddress struct {
	HousePrefix     string `json:"house_prefix,omitempty"`
	HouseNumber     string `json:"house_number,omitempty"`
	HouseSuffix     string `json:"house_suffix,omitempty"`
	PreDirectional  string `json:"pre_directional,omitempty"`
	StreetName      string `json:"street_name,omitempty"`
	StreetSuffix    string `json:"street_suffix,omitempty"`
	PostDirectional string `json:"post_directional,omitempty"`
	AddressLine2    string `json:"address_line2,omitempty"`
	City            string `json:"city,omitempty"`
	// StateCode is two capital letters.
	StateCode string `json:"state_code,omitempty"`
	Zip       string `json:"zip,omitempty"`
	// PlusFour is four digits.
	PlusFour    string `json:"plus_four,omitempty"`
	County      string `json:"county,omitempty"`
	Country     string `json:"country,omitempty"`
	AddressType string `json:"address_type,omitempty"`
}

// WirelessInfo is what the losing carrier lets the numbers go for. Both are secrets: they stand in the request and in its
// dead letter, which can be replayed, and in no log, event or error. Neither has a length that Bandwidth documents; 64
// characters are taken.
type WirelessInfo struct {
	AccountNumber string `json:"account_number,omitempty"`
	PinNumber     string `json:"pin_number,omitempty"`
}

// String keeps the secrets out of whatever is printed.
func (WirelessInfo) String() string { return "***" }

// GoString is [WirelessInfo.String] for %#v.
func (w WirelessInfo) GoString() string { return w.String() }

// IsDraft reports whether the port-in is to be held at Bandwidth.
func (f *PortInFields) IsDraft() bool { return f.Draft != nil && *f.Draft }

// Limits of a port-in.
const (
	maxSubscriberName = 25 // documented
	maxLOAPerson      = 15 // documented
	maxPortInText     = 64
)

var (
	spidShape     = regexp.MustCompile(`^[A-Za-z0-9]{1,10}$`)
	respOrgShape  = regexp.MustCompile(`^[A-Za-z0-9]{5}$`)
	plusFourShape = regexp.MustCompile(`^\d{4}$`)
	tnAttributes  = []string{"Protected", "External", "Imported"}
)

func (r *Request) checkPortIn() *RequestError {
	f := &r.PortInFields
	for _, n := range []struct{ name, value string }{
		{"billing_telephone_number", f.BillingTelephoneNumber}, {"new_billing_telephone_number", f.NewBillingTelephoneNumber},
	} {
		if n.value != "" && !ValidNumber(n.value) {
			return invalid(n.name, "%q is not a telephone number in E.164 such as +19195551234", n.value)
		}
	}
	if d := f.RequestedFOCDate; d != "" && !isDate(d) {
		return invalid("requested_foc_date", "%q is neither a day such as 2026-03-02 nor a time such as 2026-03-02T15:30:00Z", d)
	}
	if err := checkText("loa_authorizing_person", f.LOAAuthorizingPerson, maxLOAPerson); err != nil {
		return err
	}
	for i, a := range f.TnAttributes {
		switch {
		case !slices.Contains(tnAttributes, a):
			return invalid("tn_attributes", "%q is none of Protected, External and Imported", a)
		case slices.Contains(f.TnAttributes[:i], a):
			return invalid("tn_attributes", "%s stands twice", a)
		}
	}
	switch {
	case f.AlternateSPID != "" && !spidShape.MatchString(f.AlternateSPID):
		return invalid("alternate_spid", "%q is not 1 to 10 letters and digits", f.AlternateSPID)
	case f.TargetRespOrgID != "" && !respOrgShape.MatchString(f.TargetRespOrgID):
		return invalid("target_resp_org_id", "%q is not five letters and digits", f.TargetRespOrgID)
	}
	if err := f.Subscriber.check(); err != nil {
		return err
	}
	return f.WirelessInfo.check()
}

// isDate reports whether a text is a day or a time as Bandwidth takes it. Its samples have a Z after a day too.
func isDate(s string) bool {
	for _, form := range []string{time.DateOnly, time.DateOnly + "Z", time.RFC3339} {
		if _, err := time.Parse(form, s); err == nil {
			return true
		}
	}
	return false
}

func (s *Subscriber) check() *RequestError {
	if s == nil {
		return nil
	}
	if s.SubscriberType != "" && !slices.Contains([]string{"BUSINESS", "RESIDENTIAL"}, s.SubscriberType) {
		return invalid("subscriber.subscriber_type", "%q is neither BUSINESS nor RESIDENTIAL", s.SubscriberType)
	}
	for _, f := range []struct{ name, value string }{
		{"business_name", s.BusinessName}, {"first_name", s.FirstName}, {"last_name", s.LastName},
	} {
		if err := checkText("subscriber."+f.name, f.value, maxSubscriberName); err != nil {
			return err
		}
	}
	return s.ServiceAddress.check()
}

func (a *ServiceAddress) check() *RequestError {
	if a == nil {
		return nil
	}
	const at = "subscriber.service_address."
	switch {
	case a.StateCode != "" && !stateShape.MatchString(a.StateCode):
		return invalid(at+"state_code", "%q is not two capital letters", a.StateCode)
	case a.PlusFour != "" && !plusFourShape.MatchString(a.PlusFour):
		return invalid(at+"plus_four", "%q is not four digits", a.PlusFour)
	}
	for _, f := range []struct{ name, value string }{
		{"house_prefix", a.HousePrefix}, {"house_number", a.HouseNumber}, {"house_suffix", a.HouseSuffix}, {"pre_directional", a.PreDirectional},
		{"street_name", a.StreetName}, {"street_suffix", a.StreetSuffix}, {"post_directional", a.PostDirectional}, {"address_line2", a.AddressLine2},
		{"city", a.City}, {"zip", a.Zip}, {"county", a.County}, {"country", a.Country}, {"address_type", a.AddressType},
	} {
		if err := checkText(at+f.name, f.value, maxPortInText); err != nil {
			return err
		}
	}
	return nil
}

// check never quotes what it refuses.
func (w *WirelessInfo) check() *RequestError {
	if w == nil {
		return nil
	}
	for _, f := range []struct{ name, value string }{{"account_number", w.AccountNumber}, {"pin_number", w.PinNumber}} {
		if why := badText(f.value, maxPortInText); why != "" {
			return invalid("wireless_info."+f.name, "%s", why)
		}
	}
	return nil
}

func checkText(field, value string, limit int) *RequestError {
	if why := badText(value, limit); why != "" {
		return invalid(field, "%q: %s", value, why)
	}
	return nil
}

// badText says what is wrong with a text that goes to Bandwidth in XML; nothing where it is fine, or empty.
func badText(s string, limit int) string {
	switch n := utf8.RuneCountInString(s); {
	case n > limit:
		return fmt.Sprintf("it has %d characters; at most %d are taken", n, limit)
	case n > 0 && (s[0] == ' ' || s[len(s)-1] == ' '):
		return "there is a space at an end of it"
	}
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return "it holds a character that cannot be shown"
		}
	}
	return ""
}
