package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"bandwidthworker/messages"
)

// criteriaFlags say which numbers are wanted.
type criteriaFlags struct {
	Prefix           string `env:"-" group:"criteria" help:"Beginning in E.164, such as +1919, +1919555 or +1855."`
	AreaCode         string `env:"-" name:"area-code" group:"criteria" help:"Three digits."`
	NPANXX           string `env:"-" name:"npa-nxx" group:"criteria" help:"Area code and exchange, six digits."`
	NPANXXX          string `env:"-" name:"npa-nxx-x" group:"criteria" help:"Area code, exchange and one more digit."`
	RateCenter       string `env:"-" name:"rate-center" group:"criteria" help:"Rate center by its abbreviation; goes with --state."`
	City             string `env:"-" group:"criteria" help:"City; goes with --state."`
	State            string `env:"-" group:"criteria" help:"State, two letters."`
	Zip              string `env:"-" group:"criteria" help:"Zip code, five or nine digits."`
	LATA             string `env:"-" name:"lata" group:"criteria" help:"LATA, up to five digits."`
	LocalVanity      string `env:"-" name:"local-vanity" group:"criteria" help:"4 to 7 letters and digits that the number holds."`
	EndsIn           bool   `env:"-" name:"ends-in" group:"criteria" help:"The local vanity at the number's end."`
	TollFreeVanity   string `env:"-" name:"toll-free-vanity" group:"criteria" help:"4 to 10 letters and digits that the toll-free number holds."`
	TollFreeWildcard string `env:"-" name:"toll-free-wildcard" group:"criteria" placeholder:"8**" help:"Toll-free area code: 8**, 85* or 855."`
	LocalCallingArea bool   `env:"-" name:"local-calling-area" group:"criteria" help:"Also numbers a local call away."`
}

var bareDigits = regexp.MustCompile(`^1?([2-9]\d{0,9})$`)

// criteria returns what the flags say.
func (f criteriaFlags) criteria() (*messages.Criteria, error) {
	if m := bareDigits.FindStringSubmatch(f.Prefix); m != nil {
		return nil, exitError{exitUsage, fmt.Errorf("criteria.prefix: %q is not in E.164; did you mean +1%s?", f.Prefix, m[1])}
	}
	c := &messages.Criteria{
		Prefix: f.Prefix, AreaCode: f.AreaCode, NPANXX: f.NPANXX, NPANXXX: f.NPANXXX, RateCenter: f.RateCenter, City: f.City,
		State: strings.ToUpper(f.State), Zip: f.Zip, LATA: f.LATA, LocalVanity: f.LocalVanity,
		TollFreeVanity: f.TollFreeVanity, TollFreeWildcard: f.TollFreeWildcard,
	}
	if f.EndsIn {
		c.EndsIn = &f.EndsIn
	}
	if f.LocalCallingArea {
		c.LocalCallingArea = &f.LocalCallingArea
	}
	return c, nil
}

// none reports whether no flag was given.
func (f criteriaFlags) none() bool { return f == criteriaFlags{} }

// searchCmd searches for numbers.
type searchCmd struct {
	criteriaFlags `embed:""`
	Quantity      int               `env:"-" default:"10" help:"How many at the most."`
	Detail        bool              `env:"-" help:"Also show city, rate center, state, LATA and tier."`
	RequestID     string            `env:"-" name:"request-id" help:"Comes back in the event; a UUID if left out."`
	Tenant        string            `env:"-" help:"On whose behalf."`
	Meta          map[string]string `env:"-" name:"meta" placeholder:"K=V" help:"Comes back in the event; may be given again."`
	Wait          bool              `env:"-" help:"Taken as with the other requests; a search is always waited for."`
	Timeout       time.Duration     `env:"-" default:"2m" help:"How long to wait for the answer; 0 for as long as it takes. A worker tries for a minute."`
}

// Run publishes the search, waits for its event and prints the numbers.
func (s searchCmd) Run(p *program, c *cli) error {
	r := requestFlags{RequestID: s.RequestID, Tenant: s.Tenant, Meta: s.Meta}.request()
	var err error
	if r.Criteria, err = s.criteria(); err != nil {
		return err
	}
	r.Quantity = &s.Quantity
	if s.Detail {
		r.Detail = &s.Detail
	}
	if err := r.Validate(messages.Search); err != nil {
		return usage(err)
	}
	client, done, err := c.connect(p)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := waiting(p.ctx, s.Timeout)
	defer cancel()
	receipt, e, err := client.Search(ctx, r)
	switch {
	case receipt.Key == "":
		return usage(err)
	case errors.Is(err, context.DeadlineExceeded):
		return exitError{exitTimedOut, errors.New("no answer yet; is a worker running? The search stays in the queue, and its event comes all the same")}
	case errors.Is(err, context.Canceled):
		return exitError{exitTimedOut, errors.New("stopped waiting; the event of the search comes all the same")}
	case err != nil:
		return err
	}
	return p.found(c, e)
}

// found prints what a search found, a number a line, or why it failed.
func (p *program) found(c *cli, e *messages.Event) error {
	for _, err := range e.Errors {
		text := err.Description
		if err.Code != string(e.Reason) {
			text = err.Code + " " + text
		}
		p.say("publish: %s", text)
		if err.Advice != "" {
			p.say("  %s", err.Advice)
		}
	}
	if e.Outcome != messages.Completed {
		p.say("the search failed (%s); its dead letter: publish dlq show %s", e.Reason, e.Key)
		return exitError{code: exitFailed}
	}
	if len(e.Numbers) == 0 {
		p.say("nothing found")
	}
	results := e.Results
	if len(results) == 0 {
		for _, n := range e.Numbers {
			results = append(results, messages.NumberDetail{Number: n})
		}
	}
	for _, d := range results {
		if err := p.number(c, d, len(e.Results) > 0); err != nil {
			return err
		}
	}
	return nil
}

// number prints a number that was found: as JSON, alone, or with its details in columns.
func (p *program) number(c *cli, d messages.NumberDetail, detail bool) error {
	var err error
	switch {
	case c.JSON:
		err = json.NewEncoder(p.stdout).Encode(d)
	case detail:
		_, err = fmt.Fprintln(p.stdout, strings.Join([]string{d.Number, d.City, d.RateCenter, d.State, d.LATA, d.Tier}, "\t"))
	default:
		_, err = fmt.Fprintln(p.stdout, d.Number)
	}
	return err
}
