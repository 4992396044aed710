package messages_test

import (
	"fmt"
	"strings"
	"testing"

	"bandwidthworker/messages"
)

// TestInvalid: each rule of a kind, broken alone.
func TestInvalid(t *testing.T) {
	const n1, n2 = "+19195551234", "+19195551235"
	list := func(numbers []string) string { return `["` + strings.Join(numbers, `","`) + `"]` }
	criteria := func(fields string) string { return `{"request_id":"a","criteria":{` + fields + `}}` }
	type row struct {
		name   string
		kind   messages.Kind
		body   string
		field  string // empty where the body is good
		phrase string
	}
	rows := []row{
		{"no request id", messages.Provision, `{"numbers":["` + n1 + `"]}`, "request_id", "missing"},
		{"an empty request id", messages.Provision, `{"request_id":"","numbers":["` + n1 + `"]}`, "request_id", "missing"},
		{"128 characters", messages.Provision, `{"request_id":"` + strings.Repeat("a", 128) + `","numbers":["` + n1 + `"]}`, "", ""},
		{"129 characters", messages.Provision, `{"request_id":"` + strings.Repeat("a", 129) + `","numbers":["` + n1 + `"]}`, "request_id", "128"},
		{"every character", messages.Provision, `{"request_id":"AZaz09._:@/-","numbers":["` + n1 + `"]}`, "", ""},
		{"a tenant", messages.Provision, `{"request_id":"a","tenant":"A_9-` + strings.Repeat("z", 28) + `","numbers":["` + n1 + `"]}`, "", ""},
		{"a long tenant", messages.Provision, `{"request_id":"a","tenant":"` + strings.Repeat("z", 33) + `","numbers":["` + n1 + `"]}`, "tenant", "32"},
		{"a tenant with a dot", messages.Provision, `{"request_id":"a","tenant":"a.b","numbers":["` + n1 + `"]}`, "tenant", "32"},
		{"a tenant of a wildcard", messages.Provision, `{"request_id":"a","tenant":"*","numbers":["` + n1 + `"]}`, "tenant", "32"},
		{"metadata of 4096 bytes", messages.Provision, `{"request_id":"a","metadata":{"k":"` + strings.Repeat("v", 2047) + `","l":"` + strings.Repeat("v", 2047) + `"},"numbers":["` + n1 + `"]}`, "", ""},
		{"metadata of 4097 bytes", messages.Provision, `{"request_id":"a","metadata":{"k":"` + strings.Repeat("v", 2048) + `","l":"` + strings.Repeat("v", 2047) + `"},"numbers":["` + n1 + `"]}`, "metadata", "4097"},
		{"metadata of long keys", messages.Provision, `{"request_id":"a","metadata":{"` + strings.Repeat("k", 4097) + `":""},"numbers":["` + n1 + `"]}`, "metadata", "4097"},

		{"neither", messages.Provision, `{"request_id":"a"}`, "numbers", "neither"},
		{"no numbers", messages.Provision, `{"request_id":"a","numbers":[]}`, "numbers", "empty"},
		{"both", messages.Provision, `{"request_id":"a","numbers":["` + n1 + `"],"criteria":{"area_code":"919"},"quantity":1}`, "criteria", "both"},
		{"numbers and quantity", messages.Provision, `{"request_id":"a","numbers":["` + n1 + `"],"quantity":1}`, "quantity", "criteria"},
		{"criteria alone", messages.Provision, `{"request_id":"a","criteria":{"area_code":"919"}}`, "quantity", "missing"},
		{"numbers in backorder", messages.Provision, `{"request_id":"a","numbers":["` + n1 + `"],"backorder":true}`, "backorder", "criteria"},
		{"numbers not in backorder", messages.Provision, `{"request_id":"a","numbers":["` + n1 + `"],"backorder":false}`, "", ""},
		{"criteria in backorder", messages.Provision, `{"request_id":"a","criteria":{"area_code":"919"},"quantity":1,"backorder":true}`, "", ""},
		{"a reservation of numbers", messages.Provision, `{"request_id":"a","numbers":["` + n1 + `"],"reserve":true}`, "", ""},
		{"a reservation by criteria", messages.Provision, `{"request_id":"a","criteria":{"area_code":"919"},"quantity":100,"reserve":true}`, "", ""},
		{"a reservation of 100", messages.Provision, `{"request_id":"a","numbers":` + list(numbers(100)) + `,"reserve":true}`, "", ""},
		{"a reservation of 101", messages.Provision, `{"request_id":"a","numbers":` + list(numbers(101)) + `,"reserve":true}`, "reserve", "at most 100"},
		{"a reservation of 101 by criteria", messages.Provision, `{"request_id":"a","criteria":{"area_code":"919"},"quantity":101,"reserve":true}`, "reserve", "101 numbers"},
		{"101 without one", messages.Provision, `{"request_id":"a","numbers":` + list(numbers(101)) + `,"reserve":false}`, "", ""},
		{"a reservation in backorder", messages.Provision, `{"request_id":"a","criteria":{"area_code":"919"},"quantity":1,"backorder":true,"reserve":true}`, "reserve", "backorder"},
		{"a duplicate", messages.Provision, `{"request_id":"a","numbers":["` + n1 + `","` + n2 + `","` + n1 + `"]}`, "numbers", n1 + " stands twice, as the 1st and the 3rd"},
		{"5000 numbers", messages.Provision, `{"request_id":"a","numbers":` + list(numbers(5000)) + `}`, "", ""},
		{"5001 numbers", messages.Provision, `{"request_id":"a","numbers":` + list(numbers(5001)) + `}`, "numbers", "5001"},
		{"the 12th is bad", messages.Provision, `{"request_id":"a","numbers":` + list(append(numbers(11), "1")) + `}`, "numbers", "the 12th"},
		{"the 22nd is bad", messages.Provision, `{"request_id":"a","numbers":` + list(append(numbers(21), "1")) + `}`, "numbers", "the 22nd"},
		{"a bad site", messages.Provision, `{"request_id":"a","numbers":["` + n1 + `"],"site_id":"12a"}`, "site_id", `"12a"`},
		{"a long site", messages.Provision, `{"request_id":"a","numbers":["` + n1 + `"],"site_id":"` + strings.Repeat("1", 21) + `"}`, "site_id", "20 digits"},
		{"a huge site", messages.Provision, `{"request_id":"a","numbers":["` + n1 + `"],"site_id":"` + strings.Repeat("<", 200_000) + `"}`, "site_id", "…"},
		{"a bad peer", messages.Provision, `{"request_id":"a","numbers":["` + n1 + `"],"sip_peer":"peer 1"}`, "sip_peer", `"peer 1"`},
		{"quantity 0", messages.Provision, `{"request_id":"a","criteria":{"area_code":"919"},"quantity":0}`, "quantity", "1 to 5000"},
		{"quantity below 0", messages.Provision, `{"request_id":"a","criteria":{"area_code":"919"},"quantity":-1}`, "quantity", "-1"},
		{"quantity 1", messages.Provision, `{"request_id":"a","criteria":{"area_code":"919"},"quantity":1}`, "", ""},
		{"quantity 5000", messages.Provision, `{"request_id":"a","criteria":{"area_code":"919"},"quantity":5000}`, "", ""},
		{"quantity 5001", messages.Provision, `{"request_id":"a","criteria":{"area_code":"919"},"quantity":5001}`, "quantity", "5001"},
		{"bad criteria", messages.Provision, `{"request_id":"a","criteria":{"area_code":"91"},"quantity":1}`, "criteria.area_code", `"91"`},

		{"a search for nothing", messages.Search, `{"request_id":"a"}`, "criteria", "missing"},
		{"a search for 0", messages.Search, `{"request_id":"a","criteria":{"area_code":"919"},"quantity":0}`, "quantity", "0"},
		{"a search for 5001", messages.Search, `{"request_id":"a","criteria":{"area_code":"919"},"quantity":5001}`, "quantity", "5001"},
		{"a search without request id", messages.Search, `{"criteria":{"area_code":"919"}}`, "request_id", "missing"},
		{"empty criteria", messages.Search, criteria(``), "criteria", "empty"},
		{"two exact ones", messages.Search, criteria(`"area_code":"919","npa_nxx":"919555"`), "criteria", "only one"},
		{"prefix and area code", messages.Search, criteria(`"area_code":"919","prefix":"+1919"`), "criteria", "only one"},
		{"toll free and more", messages.Search, criteria(`"toll_free_wildcard":"8**","state":"NC"`), "criteria", "toll_free_wildcard"},
		{"both toll free", messages.Search, criteria(`"toll_free_wildcard":"8**","toll_free_vanity":"HELP"`), "criteria", "toll_free_vanity"},
		{"a rate center without state", messages.Search, criteria(`"rate_center":"RALEIGH"`), "criteria.rate_center", "state"},
		{"a city without state", messages.Search, criteria(`"city":"RALEIGH"`), "criteria.city", "state"},
		{"a city", messages.Search, criteria(`"city":"RALEIGH","state":"NC"`), "", ""},
		{"vanity and zip", messages.Search, criteria(`"local_vanity":"HOME","zip":"27601"`), "criteria.local_vanity", "area_code or state"},
		{"vanity and area code", messages.Search, criteria(`"local_vanity":"HOME","area_code":"919"`), "", ""},
		{"ends in alone", messages.Search, criteria(`"area_code":"919","ends_in":false`), "criteria.ends_in", "local_vanity"},
		{"calling area of an area code", messages.Search, criteria(`"area_code":"919","local_calling_area":true`), "criteria.local_calling_area", "npa_nxx"},
		{"no calling area of an area code", messages.Search, criteria(`"area_code":"919","local_calling_area":false`), "", ""},

		{"disconnect nothing", messages.Disconnect, `{"request_id":"a"}`, "numbers", "1 to 5000"},
		{"disconnect an empty list", messages.Disconnect, `{"request_id":"a","numbers":[]}`, "numbers", "1 to 5000"},
		{"disconnect twice", messages.Disconnect, `{"request_id":"a","numbers":["` + n1 + `","` + n1 + `"]}`, "numbers", "twice"},
		{"a bad mode", messages.Disconnect, `{"request_id":"a","numbers":["` + n1 + `"],"mode":"Purge"}`, "mode", `"Purge"`},
		{"mode normal", messages.Disconnect, `{"request_id":"a","numbers":["` + n1 + `"],"mode":"normal","protected":"true"}`, "", ""},
		{"bad protection", messages.Disconnect, `{"request_id":"a","numbers":["` + n1 + `"],"protected":"TRUE"}`, "protected", `"TRUE"`},

		{"cancel nothing", messages.Cancel, `{"request_id":"a"}`, "order_request_id", "missing"},
		{"cancel itself", messages.Cancel, `{"request_id":"a","order_request_id":"a"}`, "order_request_id", "own"},
		{"cancel badly", messages.Cancel, `{"request_id":"a","order_request_id":"b c"}`, "order_request_id", "characters"},

		{"port nothing", messages.PortIn, `{"request_id":"a"}`, "numbers", "1 to 5000"},
		{"a bad billing number", messages.PortIn, `{"request_id":"a","numbers":["` + n1 + `"],"billing_telephone_number":"9195551234"}`, "billing_telephone_number", `"9195551234"`},
		{"a port's bad site", messages.PortIn, `{"request_id":"a","numbers":["` + n1 + `"],"site_id":"x"}`, "site_id", `"x"`},
	}
	port := func(fields string) string { return `{"request_id":"a","numbers":["` + n1 + `"],` + fields + `}` }
	address := func(field string) string { return port(`"subscriber":{"service_address":{` + field + `}}`) }
	for _, r := range []row{
		{"another bad billing number", "", port(`"new_billing_telephone_number":"1"`), "new_billing_telephone_number", `"1"`},
		{"a day", "", port(`"requested_foc_date":"2026-03-02"`), "", ""},
		{"a day of the vendor's", "", port(`"requested_foc_date":"2026-03-02Z"`), "", ""},
		{"a time", "", port(`"requested_foc_date":"2026-03-02T11:30:00.000-04:00"`), "", ""},
		{"no day", "", port(`"requested_foc_date":"2026-02-30"`), "requested_foc_date", `"2026-02-30"`},
		{"another form of day", "", port(`"requested_foc_date":"03/02/2026"`), "requested_foc_date", "2026-03-02T15:30:00Z"},
		{"a name as long as can be", "", port(`"loa_authorizing_person":"Zoë Müller Üben"`), "", ""},
		{"a name too long", "", port(`"loa_authorizing_person":"Zoë Müller Übenz"`), "loa_authorizing_person", "16 characters; at most 15"},
		{"a name with a tab", "", port(`"loa_authorizing_person":"Zoë\tM"`), "loa_authorizing_person", "cannot be shown"},
		{"a name with a space at its end", "", port(`"loa_authorizing_person":"Zoë "`), "loa_authorizing_person", "space"},
		{"attributes", "", port(`"tn_attributes":["External","Protected","Imported"]`), "", ""},
		{"an attribute twice", "", port(`"tn_attributes":["External","External"]`), "tn_attributes", "twice"},
		{"an unknown attribute", "", port(`"tn_attributes":["protected"]`), "tn_attributes", `"protected"`},
		{"a bad provider", "", port(`"alternate_spid":"X-455"`), "alternate_spid", `"X-455"`},
		{"a short RespOrg", "", port(`"target_resp_org_id":"JYT1"`), "target_resp_org_id", `"JYT1"`},
		{"a bad subscriber type", "", port(`"subscriber":{"subscriber_type":"business"}`), "subscriber.subscriber_type", `"business"`},
		{"25 characters", "", port(`"subscriber":{"business_name":"` + strings.Repeat("ü", 25) + `"}`), "", ""},
		{"26 characters", "", port(`"subscriber":{"business_name":"` + strings.Repeat("ü", 26) + `"}`), "subscriber.business_name", "26 characters; at most 25"},
		{"a long first name", "", port(`"subscriber":{"first_name":"` + strings.Repeat("a", 26) + `"}`), "subscriber.first_name", "at most 25"},
		{"a long last name", "", port(`"subscriber":{"last_name":"` + strings.Repeat("a", 26) + `"}`), "subscriber.last_name", "at most 25"},
		{"a bad state", "", address(`"state_code":"nc"`), "subscriber.service_address.state_code", `"nc"`},
		{"a bad plus four", "", address(`"plus_four":"12"`), "subscriber.service_address.plus_four", `"12"`},
		{"a long street", "", address(`"street_name":"` + strings.Repeat("a", 65) + `"`), "subscriber.service_address.street_name", "at most 64"},
		{"a long city", "", address(`"city":"` + strings.Repeat("a", 65) + `"`), "subscriber.service_address.city", "at most 64"},
		{"a long PIN", "", port(`"wireless_info":{"pin_number":"` + strings.Repeat("1", 65) + `"}`), "wireless_info.pin_number", "at most 64"},
		{"a bad account", "", port(`"wireless_info":{"account_number":" 7712"}`), "wireless_info.account_number", "space"},
	} {
		r.kind = messages.PortIn
		rows = append(rows, r)
	}
	for _, bad := range []string{" ", "a b", "a\\n", "a*", "a>", "ä", "a\\u0000", "a\\\\", "a\\\"", "a#"} {
		rows = append(rows, row{"request id " + bad, messages.Cancel, `{"request_id":"` + bad + `","order_request_id":"b"}`, "request_id", "characters"})
	}
	for _, bad := range []string{"", "9195551234", "19195551234", "+9195551234", "+1919555123", "+191955512345", "+10195551234", "+11195551234", "+19190551234",
		"+19191551234", "+1919555123a", "+1 9195551234", "+1(919)5551234", " +19195551234", "+19195551234 ", "+19195551234\\n", "+4989123456", "+1９195551234"} {
		rows = append(rows, row{"number " + bad, messages.Provision, `{"request_id":"a","numbers":["` + n2 + `","` + bad + `"]}`, "numbers", "the 2nd"})
		rows = append(rows, row{"number " + bad, messages.Disconnect, `{"request_id":"a","numbers":["` + bad + `"]}`, "numbers", "the 1st"})
	}
	for field, values := range map[string][2]string{ // good ones, bad ones
		"prefix":             {"+1919 +1919555 +19195551234 +18 +185 +1855", "919 +2919 +1 +19 +191955512345 +1919x"},
		"area_code":          {"200 919 999", "91 9191 119 019 9x9"},
		"npa_nxx":            {"919555 200200", "91955 9195551 119555 919155 919055"},
		"npa_nxx_x":          {"9195551 2002000", "919555 91955512 1195551 9191551"},
		"state":              {"NC CA", "nc N NCC N1"},
		"zip":                {"27601 276011234", "2760 276011 27601-1234 2760a"},
		"lata":               {"1 224 22400", "224000 22a"},
		"local_vanity":       {"HOME home123 1234", "ABC ABCDEFGH HO-ME"},
		"toll_free_vanity":   {"HELP HELPMENOWX", "ABC HELPMENOWXY HE-LP"},
		"toll_free_wildcard": {"8** 85* 855", "9** 8*5 *** 85 8555"},
	} {
		good, bad := strings.Fields(values[0]), strings.Fields(values[1])
		for _, v := range good {
			rows = append(rows, row{field + " " + v, messages.Search, criteria(fmt.Sprintf("%q:%q", field, v)), "", ""})
		}
		for _, v := range bad {
			rows = append(rows, row{field + " " + v, messages.Search, criteria(fmt.Sprintf("%q:%q", field, v)), "criteria." + field, fmt.Sprintf("%q", v)})
		}
	}
	for _, c := range rows {
		r, err := messages.Decode(c.kind, []byte(c.body))
		if err != nil {
			t.Errorf("%s: cannot be decoded: %v", c.name, err)
			continue
		}
		err = r.Validate(c.kind)
		if c.field == "" {
			if err != nil {
				t.Errorf("%s %s: %v", c.kind, c.name, err)
			}
			continue
		}
		refusal(t, string(c.kind)+" "+c.name, err, messages.ReasonInvalid, c.field, c.phrase)
	}
}

// TestNewAreaCodes: codes that lists of area codes do not know yet are taken.
func TestNewAreaCodes(t *testing.T) {
	for _, n := range []string{"+19242345678", "+14362345678", "+14572345678", "+18002345678", "+12002002000", "+19999999999"} {
		if !messages.ValidNumber(n) {
			t.Errorf("%s was refused", n)
		}
	}
}

func TestDefaults(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		given                       *bool
		partial, backorder, reserve bool
	}{{nil, true, false, false}, {&yes, true, true, true}, {&no, false, false, false}} {
		r := messages.Request{PartialAllowed: c.given, Backorder: c.given, Reserve: c.given}
		if r.AllowsPartial() != c.partial || r.WantsBackorder() != c.backorder || r.WantsReserve() != c.reserve {
			t.Errorf("%v: partial %v, backorder %v, reserve %v", c.given, r.AllowsPartial(), r.WantsBackorder(), r.WantsReserve())
		}
	}
}

// TestPortInSecretsAreNotQuoted: no sentence and no print of a request holds its secrets.
func TestPortInSecretsAreNotQuoted(t *testing.T) {
	const secret = "7712hunter2"
	for _, body := range []string{
		`{"request_id":"a","numbers":["+19195551234"],"wireless_info":{"account_number":" ` + secret + `"}}`,
		`{"request_id":"a","numbers":["+19195551234"],"wireless_info":{"pin_number":"` + secret + `\t"}}`,
		`{"request_id":"a","numbers":["+19195551234"],"wireless_info":{"pin_number":"` + strings.Repeat(secret, 9) + `"}}`,
		`{"request_id":"a","numbers":["+19195551234"],"wireless_info":["` + secret + `"]}`,
		`{"request_id":"a","numbers":["+19195551234"],"wireless_info":"` + secret + `"}`,
		`{"request_id":"a","wireless_info":{"pin_number":"` + secret + `"`,
	} {
		r, err := messages.Decode(messages.PortIn, []byte(body))
		if err == nil {
			err = r.Validate(messages.PortIn)
		}
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", body, err)
		}
	}
	w := messages.WirelessInfo{AccountNumber: secret, PinNumber: secret}
	for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(form, struct{ W messages.WirelessInfo }{w}); strings.Contains(text, secret) {
			t.Errorf("%s prints %s", form, text)
		}
	}
}
