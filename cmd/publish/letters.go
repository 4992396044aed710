package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
)

// dlqCmd groups the commands about dead letters.
type dlqCmd struct {
	List dlqListCmd `cmd:"" help:"List them, a line each."`
	Show dlqShowCmd `cmd:"" help:"Show one whole."`

	Edit    dlqEditCmd    `cmd:"" help:"Correct a request and publish it: as a replay, or in place of one that was refused."`
	Discard dlqDiscardCmd `cmd:"" help:"Remove dead letters for good; the orders' records stay."`
}

// dlqListCmd lists dead letters.
type dlqListCmd struct {
	Kind   string `env:"-" help:"Only of this kind."`
	Reason string `env:"-" help:"Only with this reason."`
	Tenant string `env:"-" help:"Only of this tenant; _ for those of none."`
}

// Run lists them.
func (l dlqListCmd) Run(p *program, c *cli) error {
	if err := errors.Join(checkKind(l.Kind, messages.Unknown), checkReason(l.Reason), checkTenant(l.Tenant)); err != nil {
		return exitError{exitUsage, err}
	}
	client, done, err := c.connect(p)
	if err != nil {
		return err
	}
	defer done()
	found := false
	for letter, err := range client.Letters(p.ctx, bus.Filter{Kind: messages.Kind(l.Kind), Reason: messages.Reason(l.Reason), Tenant: l.Tenant}) {
		if err != nil {
			return err
		}
		found = true
		if err := p.letter(c, letter); err != nil {
			return err
		}
	}
	if !found {
		p.say("there are no such dead letters")
	}
	return nil
}

// letter prints a dead letter as a line.
func (p *program) letter(c *cli, l bus.Letter) error {
	if c.JSON {
		return json.NewEncoder(p.stdout).Encode(l.DeadLetter)
	}
	text := ""
	for i, e := range l.Errors {
		if e.Code == string(l.Reason) {
			text = e.Description // our own sentence says it best
		} else if i == 0 {
			text = e.Code + " " + e.Description
		}
	}
	can := "replayable"
	if !l.Replayable() {
		can = "edit first"
	}
	_, err := fmt.Fprintf(p.stdout, "%s  %s  %-10s %-16s %-10s  %s  %s\n", l.Key, l.DeadAt.Local().Format(time.RFC3339), l.Kind, l.Reason, can, requestOf(l), text)
	return err
}

// requestOf names the request of a dead letter, as far as it could be decoded.
func requestOf(l bus.Letter) string {
	var named struct {
		RequestID string `json:"request_id"`
	}
	if err := json.Unmarshal(l.Request, &named); err != nil || named.RequestID == "" {
		named.RequestID = "-"
	}
	if l.Tenant != "" && l.Tenant != messages.NoTenant {
		return named.RequestID + " of " + l.Tenant
	}
	return named.RequestID
}

// dlqShowCmd shows a dead letter.
type dlqShowCmd struct {
	Key string `arg:"" help:"The order's key."`
}

// Run prints it as JSON.
func (s dlqShowCmd) Run(p *program, c *cli) error {
	if err := checkKey(s.Key); err != nil {
		return exitError{exitUsage, err}
	}
	client, done, err := c.connect(p)
	if err != nil {
		return err
	}
	defer done()
	letter, err := client.Letter(p.ctx, s.Key)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(p.stdout)
	if !c.JSON {
		enc.SetIndent("", "  ")
	}
	return enc.Encode(letter.DeadLetter)
}

// replayCmd replays dead letters.
type replayCmd struct {
	Keys         []string `arg:"" optional:"" name:"key" help:"Keys of the orders."`
	Reason       string   `env:"-" help:"Those with this reason."`
	All          bool     `env:"-" help:"All that can be replayed as they are."`
	DryRun       bool     `env:"-" name:"dry-run" help:"Only show what would be replayed."`
	AcceptDouble bool     `env:"-" name:"accept-double" help:"Take the risk of buying twice, where nothing can rule it out."`
	Rate         float64  `env:"-" help:"So many in a second; 0 for no bound."`
	StopAfter    int      `env:"-" name:"stop-after" help:"Follow each to its outcome, and stop once so many have failed again; 0 for never."`
}

// check refuses what cannot be meant.
func (r replayCmd) check() error {
	chosen := 0
	for _, given := range []bool{len(r.Keys) > 0, r.Reason != "", r.All} {
		if given {
			chosen++
		}
	}
	if chosen != 1 {
		return errors.New("choose what to replay, in one way: keys, --reason or --all")
	}
	errs := []error{checkReason(r.Reason), r.checkLimits()}
	for _, key := range r.Keys {
		errs = append(errs, checkKey(key))
	}
	return errors.Join(errs...)
}

// Run replays them. Those that cannot be replayed as they are are skipped and named; it is an error only where they
// were asked for by key.
func (r replayCmd) Run(p *program, c *cli) error {
	if err := r.check(); err != nil {
		return exitError{exitUsage, err}
	}
	client, done, err := c.connect(p)
	if err != nil {
		return err
	}
	defer done()
	letters, skipped, err := r.choose(p, client)
	if err != nil {
		return err
	}
	if r.StopAfter > 0 && !r.DryRun {
		return r.batch(p, c, client, letters)
	}
	pace := r.pace()
	for i, letter := range letters {
		if r.DryRun {
			if err := p.plan(c, letter); err != nil {
				return err
			}
			continue
		}
		if err := pace.Wait(p.ctx); err != nil {
			p.say("%d of %d dead letters were replayed before this", i, len(letters))
			return err
		}
		receipt, err := client.Replay(p.ctx, letter, r.AcceptDouble)
		if err != nil {
			p.say("%d of %d dead letters were replayed before this", i, len(letters))
			return unsure(err, "replay "+letter.LetterID+" again")
		}
		if err := p.receipt(c, receipt); err != nil {
			return err
		}
	}
	verb := "replayed"
	if r.DryRun {
		verb = "would be replayed"
	}
	p.say("%s: %d; skipped: %d", verb, len(letters), skipped)
	return nil
}

// choose returns the letters to replay, and how many were skipped.
func (r replayCmd) choose(p *program, client *bus.Client) (letters []bus.Letter, skipped int, err error) {
	for i, key := range r.Keys {
		if slices.Contains(r.Keys[:i], key) {
			continue
		}
		letter, err := client.Letter(p.ctx, key)
		if err != nil {
			return nil, 0, err
		}
		if !letter.Replayable() {
			return nil, 0, fmt.Errorf("%w: %s is %s", bus.ErrNotReplayable, letter.LetterID, letter.Reason)
		}
		if err := r.refuseDouble(letter); err != nil {
			return nil, 0, err
		}
		letters = append(letters, letter)
	}
	if len(r.Keys) > 0 {
		return letters, 0, nil
	}
	// They are collected first: replaying adds letters, which must not be replayed again in the same run.
	for letter, err := range client.Letters(p.ctx, bus.Filter{Reason: messages.Reason(r.Reason)}) {
		if err != nil {
			return nil, 0, err
		}
		if !letter.Replayable() {
			p.say("skipped %s: %s has to be edited first", letter.LetterID, letter.Reason)
			skipped++
			continue
		}
		if r.skipsDouble(p, letter) {
			skipped++
			continue
		}
		letters = append(letters, letter)
	}
	return letters, skipped, nil
}

// plan prints what a replay would publish.
func (p *program) plan(c *cli, l bus.Letter) error {
	if c.JSON {
		return json.NewEncoder(p.stdout).Encode(struct {
			LetterID string          `json:"letter_id"`
			Reason   messages.Reason `json:"reason"`
			Subject  string          `json:"subject"`
			Replay   json.RawMessage `json:"replay"`
		}{l.LetterID, l.Reason, l.Subject, l.DeadLetter.Replay})
	}
	_, err := fmt.Fprintf(p.stdout, "%s  %s  %s\n", l.LetterID, l.Reason, l.DeadLetter.Replay)
	return err
}
