package messages_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/messages"
)

// TestPrefixPlan: each prefix length gets the right search, with a filter for what Bandwidth cannot be asked for
// (kazoo-parity, searching: 855 goes out as 855 and not as 55*, 4 and 5 digits are no bad code, seven are npa_nxx_x, a
// whole number is filtered).
func TestPrefixPlan(t *testing.T) {
	for prefix, want := range map[string]struct {
		ask      messages.Criteria
		narrow   bool
		quantity int
		keep     string
		leave    string
	}{
		"+1919":        {messages.Criteria{AreaCode: "919"}, false, 10, "+19192000000", "+19842000000"},
		"+19195":       {messages.Criteria{AreaCode: "919"}, true, 5000, "+19195000000", "+19194000000"},
		"+191955":      {messages.Criteria{AreaCode: "919"}, true, 5000, "+19195590000", "+19195690000"},
		"+1919555":     {messages.Criteria{NPANXX: "919555"}, false, 10, "+19195551234", "+19195561234"},
		"+19195551":    {messages.Criteria{NPANXXX: "9195551"}, false, 10, "+19195551234", "+19195552234"},
		"+191955512":   {messages.Criteria{NPANXXX: "9195551"}, true, 1000, "+19195551234", "+19195551334"},
		"+1919555123":  {messages.Criteria{NPANXXX: "9195551"}, true, 1000, "+19195551234", "+19195551244"},
		"+19195551234": {messages.Criteria{NPANXXX: "9195551"}, true, 1000, "+19195551234", "+19195551235"},
		"+18":          {messages.Criteria{TollFreeWildcard: "8**"}, false, 10, "+18552000000", "+19192000000"},
		"+180":         {messages.Criteria{TollFreeWildcard: "80*"}, false, 10, "+18002000000", "+18552000000"},
		"+185":         {messages.Criteria{TollFreeWildcard: "85*"}, false, 10, "+18552000000", "+18332000000"},
		"+1855":        {messages.Criteria{TollFreeWildcard: "855"}, false, 10, "+18552000000", "+18332000000"},
		"+1800":        {messages.Criteria{TollFreeWildcard: "800"}, false, 10, "+18002000000", "+18332000000"},
		"+18552":       {messages.Criteria{TollFreeWildcard: "855"}, true, 5000, "+18552000000", "+18553000000"},
		"+1855252":     {messages.Criteria{TollFreeWildcard: "855"}, true, 5000, "+18552520000", "+18552530000"},
		"+18552522133": {messages.Criteria{TollFreeWildcard: "855"}, true, 5000, "+18552522133", "+18552522134"},
		"+1850":        {messages.Criteria{AreaCode: "850"}, false, 10, "+18502000000", "+18552000000"},
		"+1801":        {messages.Criteria{AreaCode: "801"}, false, 10, "+18012000000", "+18002000000"},
		"+1899":        {messages.Criteria{AreaCode: "899"}, false, 10, "+18992000000", "+18002000000"},
		"+18012":       {messages.Criteria{AreaCode: "801"}, true, 5000, "+18012000000", "+18013000000"},
	} {
		c := messages.Criteria{Prefix: prefix}
		if err := (&messages.Request{RequestID: "a", Criteria: &c}).Validate(messages.Search); err != nil {
			t.Errorf("%s: refused: %v", prefix, err)
			continue
		}
		p := c.Plan()
		if diff := cmp.Diff(want.ask, p.Ask); diff != "" {
			t.Errorf("%s: asks (-want +got):\n%s", prefix, diff)
		}
		if p.Narrow != want.narrow || p.Quantity(10) != want.quantity {
			t.Errorf("%s: narrow %v, asks for %d when 10 are wanted; want %v, %d", prefix, p.Narrow, p.Quantity(10), want.narrow, want.quantity)
		}
		if !p.Keep(want.keep) || p.Keep(want.leave) {
			t.Errorf("%s: keeps %s %v and %s %v", prefix, want.keep, p.Keep(want.keep), want.leave, p.Keep(want.leave))
		}
	}
}

// TestPlanAsksWhatIsValid: whatever prefix is valid, what is asked is too, and a number with the prefix is kept.
func TestPlanAsksWhatIsValid(t *testing.T) {
	valid := 0
	for _, number := range []string{"9195551234", "8552522133", "8002345678", "8015551234", "2025551234", "8995551234", "8115551234"} {
		for n := 1; n <= len(number); n++ {
			c := messages.Criteria{Prefix: "+1" + number[:n]}
			if (&messages.Request{RequestID: "a", Criteria: &c}).Validate(messages.Search) != nil {
				if n >= 3 {
					t.Errorf("%s is refused", c.Prefix)
				}
				continue
			}
			valid++
			p := c.Plan()
			if err := (&messages.Request{RequestID: "a", Criteria: &p.Ask}).Validate(messages.Search); err != nil {
				t.Errorf("%s asks for what is invalid: %v", c.Prefix, err)
			}
			if p.Ask.Prefix != "" || !p.Keep("+1"+number) || c.Prefix != "+1"+number[:n] {
				t.Errorf("%s: asks %+v, keeps +1%s: %v", c.Prefix, p.Ask, number, p.Keep("+1"+number))
			}
		}
	}
	if valid < 50 {
		t.Errorf("only %d valid prefixes were tried", valid)
	}
}

func TestPrefixRefused(t *testing.T) {
	for prefix, phrase := range map[string]string{
		"+1":             "prefix such as",
		"919":            "prefix such as",
		"1919":           "prefix such as",
		"+4420":          "prefix such as",
		"+191955512345":  "prefix such as",
		"+19":            "too short",
		"+191":           "too short",
		"+181":           "too short",
		"+189":           "too short",
		"+12":            "too short",
		"+10":            "first digit",
		"+11":            "first digit",
		"+1119":          "first digit",
		"+19190":         "fourth digit",
		"+19191":         "fourth digit",
		"+18551":         "fourth digit",
		"+19190551234":   "fourth digit",
		"+1919 555":      "prefix such as",
		"+1919\n":        "prefix such as",
		"+1919555123456": "prefix such as",
	} {
		err := (&messages.Request{RequestID: "a", Criteria: &messages.Criteria{Prefix: prefix}}).Validate(messages.Search)
		if err == nil || !strings.Contains(err.Error(), phrase) || !strings.Contains(err.Error(), fmt.Sprintf("criteria.prefix: %q", prefix)) {
			t.Errorf("%q: %v; want a refusal that names it and says %q", prefix, err, phrase)
		}
	}
}

// TestCombinations: the combinations that Bandwidth documents, and one of each kind that it does not.
func TestCombinations(t *testing.T) {
	yes := true
	for _, c := range []struct {
		c     messages.Criteria
		field string // what is refused; empty for nothing
	}{
		{messages.Criteria{AreaCode: "919", RateCenter: "CARY", State: "NC", LATA: "426", Zip: "27511"}, ""},
		{messages.Criteria{NPANXX: "919555", City: "CARY", State: "NC"}, ""},
		{messages.Criteria{NPANXXX: "9195551", State: "NC"}, ""},
		{messages.Criteria{Prefix: "+1919555", RateCenter: "CARY", State: "NC"}, ""},
		{messages.Criteria{Zip: "27511"}, ""},
		{messages.Criteria{LocalVanity: "newcar", AreaCode: "919", EndsIn: &yes}, ""},
		{messages.Criteria{LocalVanity: "newcar", State: "NC"}, ""},
		{messages.Criteria{NPANXX: "919555", LocalCallingArea: &yes}, ""},
		{messages.Criteria{NPANXXX: "9195551", LocalCallingArea: &yes}, ""},
		{messages.Criteria{RateCenter: "CARY", State: "NC", LocalCallingArea: &yes}, ""},
		{messages.Criteria{Prefix: "+1855", State: "NC"}, "criteria.prefix"},
		{messages.Criteria{Prefix: "+18", Zip: "27511"}, "criteria.prefix"},
		{messages.Criteria{Prefix: "+1919", LocalVanity: "newcar"}, "criteria.local_vanity"},
		{messages.Criteria{Prefix: "+1919555", LocalCallingArea: &yes}, "criteria.local_calling_area"},
		{messages.Criteria{NPANXX: "919555", LATA: "426", LocalCallingArea: &yes}, "criteria.local_calling_area"},
		{messages.Criteria{NPANXX: "919555", State: "NC", LocalCallingArea: &yes}, "criteria.local_calling_area"},
		{messages.Criteria{AreaCode: "919", RateCenter: "CARY", State: "NC", LocalCallingArea: &yes}, "criteria.local_calling_area"},
		{messages.Criteria{NPANXX: "919555", RateCenter: "CARY", State: "NC", LocalCallingArea: &yes}, "criteria.local_calling_area"},
		{messages.Criteria{TollFreeWildcard: "855", LocalCallingArea: &yes}, "criteria.local_calling_area"},
		{messages.Criteria{TollFreeVanity: "flowers", AreaCode: "919"}, "criteria"},
		{messages.Criteria{RateCenter: " ", State: "NC"}, "criteria.rate_center"},
		{messages.Criteria{RateCenter: "CARY"}, "criteria.rate_center"},
		{messages.Criteria{City: strings.Repeat("x", 65), State: "NC"}, "criteria.city"},
		{messages.Criteria{City: "CA\nRY", State: "NC"}, "criteria.city"},
	} {
		err := (&messages.Request{RequestID: "a", Criteria: &c.c}).Validate(messages.Search)
		if (err != nil) != (c.field != "") || err != nil && !strings.HasPrefix(err.Error(), c.field+":") {
			t.Errorf("%+v: %v; want %q refused", c.c, err, c.field)
		}
	}
}

// TestPlanOfOtherCriteria: numbers outside the digits that were asked for are not kept, unless neighbours are wanted.
func TestPlanOfOtherCriteria(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		c           messages.Criteria
		keep, leave string
	}{
		{messages.Criteria{AreaCode: "919"}, "+19192000000", "+19842000000"},
		{messages.Criteria{NPANXX: "919555", LocalCallingArea: &no}, "+19195550000", "+19842000000"},
		{messages.Criteria{NPANXXX: "9195551"}, "+19195551000", "+19195550000"},
		{messages.Criteria{TollFreeWildcard: "85*"}, "+18552000000", "+18332000000"},
		{messages.Criteria{NPANXX: "919555", LocalCallingArea: &yes}, "+19842000000", ""},
		{messages.Criteria{RateCenter: "CARY", State: "NC"}, "+19842000000", ""},
		{messages.Criteria{TollFreeVanity: "flowers"}, "+18333569377", ""},
	} {
		p := c.c.Plan()
		if !p.Keep(c.keep) || c.leave != "" && p.Keep(c.leave) || p.Narrow || p.Quantity(7) != 7 {
			t.Errorf("%+v: plan %+v", c.c, p)
		}
		if diff := cmp.Diff(c.c, p.Ask); diff != "" {
			t.Errorf("asks for something else than %+v", c.c)
		}
	}
}
