package main

import "bandwidthworker/messages"

// portinCmd brings numbers in from another carrier.
type portinCmd struct {
	requestFlags `embed:""`
	Numbers      []string `arg:"" name:"number" help:"Numbers in E.164, such as +19195551234."`
	SiteID       string   `env:"-" name:"site-id" help:"Site; the workers' default if left out."`
	SIPPeer      string   `env:"-" name:"sip-peer" help:"SIP peer; the workers' default if left out."`
	Draft        bool     `env:"-" help:"Hold the order at Bandwidth until somebody submits it there. Bandwidth drops drafts that nobody touches for a couple of days."`

	BillingTelephoneNumber    string   `env:"-" name:"billing-telephone-number" group:"port" placeholder:"+1…" help:"Number on the losing carrier's bill."`
	NewBillingTelephoneNumber string   `env:"-" name:"new-billing-telephone-number" group:"port" placeholder:"+1…" help:"Number that the bill has afterwards, where others stay there."`
	RequestedFOCDate          string   `env:"-" name:"requested-foc-date" group:"port" placeholder:"DATE" help:"Day or time at which the numbers are to come, such as 2026-03-02 or 2026-03-02T15:30:00Z; the next possible one if left out."`
	LOAAuthorizingPerson      string   `env:"-" name:"loa-authorizing-person" group:"port" placeholder:"NAME" help:"Who has authorised the port; at most 15 characters."`
	TnAttributes              []string `env:"-" name:"tn-attributes" group:"port" placeholder:"Protected" help:"Of Protected, External and Imported."`
	Triggered                 bool     `env:"-" group:"port" help:"Another time of the day than Bandwidth's own; it stands in --requested-foc-date."`
	PartialPort               bool     `env:"-" name:"partial-port" group:"port" help:"Other numbers of the bill stay where they are."`
	AlternateSPID             string   `env:"-" name:"alternate-spid" group:"port" placeholder:"SPID" help:"Service provider id of your own."`
	TargetRespOrgID           string   `env:"-" name:"target-resp-org-id" group:"port" placeholder:"ID" help:"Of toll-free numbers: where they are ported to; five letters and digits."`
	AccountNumber             string   `name:"account-number" group:"port" placeholder:"N" help:"Account at the losing carrier. A secret: others can read a command line."`
	PINNumber                 string   `name:"pin-number" group:"port" placeholder:"PIN" help:"PIN at the losing carrier. A secret: others can read a command line."`
	subscriberFlags           `embed:"" group:"subscriber"`
}

// subscriberFlags say whom the losing carrier knows the numbers by.
type subscriberFlags struct {
	SubscriberType  string `env:"-" name:"subscriber-type" placeholder:"BUSINESS|RESIDENTIAL" help:"What the subscriber is."`
	BusinessName    string `env:"-" name:"business-name" placeholder:"NAME" help:"At most 25 characters."`
	FirstName       string `env:"-" name:"first-name" placeholder:"NAME" help:"At most 25 characters."`
	LastName        string `env:"-" name:"last-name" placeholder:"NAME" help:"At most 25 characters."`
	HousePrefix     string `env:"-" name:"house-prefix" placeholder:"TEXT" help:"What stands before the house number."`
	HouseNumber     string `env:"-" name:"house-number" placeholder:"N" help:"House number of the service address."`
	HouseSuffix     string `env:"-" name:"house-suffix" placeholder:"TEXT" help:"What stands after the house number."`
	PreDirectional  string `env:"-" name:"pre-directional" placeholder:"N|E|…" help:"Direction before the street's name."`
	StreetName      string `env:"-" name:"street-name" placeholder:"NAME" help:"Street."`
	StreetSuffix    string `env:"-" name:"street-suffix" placeholder:"St|Ave|…" help:"Kind of street."`
	PostDirectional string `env:"-" name:"post-directional" placeholder:"N|E|…" help:"Direction after the street's name."`
	AddressLine2    string `env:"-" name:"address-line2" placeholder:"TEXT" help:"Unit, suite, floor."`
	City            string `env:"-" placeholder:"NAME" help:"City."`
	StateCode       string `env:"-" name:"state-code" placeholder:"NC" help:"State, two capital letters."`
	Zip             string `env:"-" placeholder:"ZIP" help:"ZIP code."`
	PlusFour        string `env:"-" name:"plus-four" placeholder:"NNNN" help:"Four digits after the ZIP code."`
	County          string `env:"-" placeholder:"NAME" help:"County."`
	Country         string `env:"-" placeholder:"NAME" help:"Country; Bandwidth tells it by the state."`
	AddressType     string `env:"-" name:"address-type" placeholder:"TEXT" help:"Kind of address, such as Service."`
}

// subscriber returns the subscriber that the flags name; nil for none.
func (f subscriberFlags) subscriber() *messages.Subscriber {
	if f == (subscriberFlags{}) {
		return nil
	}
	s := &messages.Subscriber{SubscriberType: f.SubscriberType, BusinessName: f.BusinessName, FirstName: f.FirstName, LastName: f.LastName}
	address := messages.ServiceAddress{
		HousePrefix: f.HousePrefix, HouseNumber: f.HouseNumber, HouseSuffix: f.HouseSuffix, PreDirectional: f.PreDirectional, StreetName: f.StreetName,
		StreetSuffix: f.StreetSuffix, PostDirectional: f.PostDirectional, AddressLine2: f.AddressLine2, City: f.City, StateCode: f.StateCode, Zip: f.Zip,
		PlusFour: f.PlusFour, County: f.County, Country: f.Country, AddressType: f.AddressType,
	}
	if address != (messages.ServiceAddress{}) {
		s.ServiceAddress = &address
	}
	return s
}

// Run publishes the request.
func (a portinCmd) Run(p *program, c *cli) error {
	if err := checkNumbers(append([]string{a.BillingTelephoneNumber, a.NewBillingTelephoneNumber}, a.Numbers...)); err != nil {
		return err
	}
	r := a.request()
	r.Numbers, r.SiteID, r.SIPPeer = a.Numbers, a.SiteID, a.SIPPeer
	r.PortInFields = messages.PortInFields{
		BillingTelephoneNumber: a.BillingTelephoneNumber, NewBillingTelephoneNumber: a.NewBillingTelephoneNumber, RequestedFOCDate: a.RequestedFOCDate,
		LOAAuthorizingPerson: a.LOAAuthorizingPerson, Subscriber: a.subscriber(), TnAttributes: a.TnAttributes, AlternateSPID: a.AlternateSPID,
		TargetRespOrgID: a.TargetRespOrgID, Triggered: given(a.Triggered), PartialPort: given(a.PartialPort), Draft: given(a.Draft),
	}
	if a.AccountNumber != "" || a.PINNumber != "" {
		r.WirelessInfo = &messages.WirelessInfo{AccountNumber: a.AccountNumber, PinNumber: a.PINNumber}
	}
	return publish(p, c, messages.PortIn, r, a.requestFlags)
}

// given returns a flag's value, nil where it was left out.
func given(flag bool) *bool {
	if !flag {
		return nil
	}
	return &flag
}
