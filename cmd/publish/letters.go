package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
)

// dlqCmd groups the commands about dead letters.
type dlqCmd struct {
	List dlqListCmd `cmd:"" help:"List them, a line each."`
	Show dlqShowCmd `cmd:"" help:"Show one whole."`
}

// dlqListCmd lists dead letters.
type dlqListCmd struct {
	Kind   string `help:"Only of this kind."`
	Reason string `help:"Only with this reason."`
	Tenant string `help:"Only of this tenant."`
}

// Run lists them.
func (l dlqListCmd) Run(p *program, c *cli) error {
	client, done, err := c.connect()
	if err != nil {
		return err
	}
	defer done()
	for letter, err := range client.Letters(p.ctx, bus.Filter{Kind: messages.Kind(l.Kind), Reason: messages.Reason(l.Reason), Tenant: l.Tenant}) {
		if err != nil {
			return err
		}
		if err := p.letter(c, letter); err != nil {
			return err
		}
	}
	return nil
}

// letter prints a dead letter as a line.
func (p *program) letter(c *cli, l bus.Letter) error {
	if c.JSON {
		return json.NewEncoder(p.stdout).Encode(l.DeadLetter)
	}
	text := ""
	if len(l.Errors) > 0 {
		text = l.Errors[0].Code + " " + l.Errors[0].Description
	}
	can := "replayable"
	if !l.Replayable() {
		can = "edit first"
	}
	_, err := fmt.Fprintf(p.stdout, "%s  %s  %-9s %-16s %-10s %s\n", l.Key, l.DeadAt.Format(time.RFC3339), l.Kind, l.Reason, can, text)
	return err
}

// dlqShowCmd shows a dead letter.
type dlqShowCmd struct {
	Key string `arg:"" help:"The order's key."`
}

// Run prints it as JSON.
func (s dlqShowCmd) Run(p *program, c *cli) error {
	client, done, err := c.connect()
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
	Reason       string   `help:"Those with this reason."`
	All          bool     `help:"All that can be replayed as they are."`
	DryRun       bool     `name:"dry-run" help:"Only show what would be replayed."`
	AcceptDouble bool     `name:"accept-double" help:"Take the risk of buying twice, where nothing can rule it out."`
}

// Run replays them. Those that cannot be replayed as they are are skipped and named; it is an error only where they
// were asked for by key.
func (r replayCmd) Run(p *program, c *cli) error {
	chosen := 0
	for _, given := range []bool{len(r.Keys) > 0, r.Reason != "", r.All} {
		if given {
			chosen++
		}
	}
	if chosen != 1 {
		return exitError{exitUsage, errors.New("choose what to replay: keys, --reason or --all")}
	}
	client, done, err := c.connect()
	if err != nil {
		return err
	}
	defer done()
	var letters []bus.Letter
	for _, key := range r.Keys {
		letter, err := client.Letter(p.ctx, key)
		if err != nil {
			return err
		}
		if !letter.Replayable() {
			return fmt.Errorf("%w: %s is %s", bus.ErrNotReplayable, letter.LetterID, letter.Reason)
		}
		letters = append(letters, letter)
	}
	if len(r.Keys) == 0 {
		// They are collected first: replaying adds letters, which must not be replayed again in the same run.
		for letter, err := range client.Letters(p.ctx, bus.Filter{Reason: messages.Reason(r.Reason)}) {
			if err != nil {
				return err
			}
			if !letter.Replayable() {
				p.say("skipped %s: %s has to be edited first", letter.LetterID, letter.Reason)
				continue
			}
			letters = append(letters, letter)
		}
	}
	for _, letter := range letters {
		if r.DryRun {
			p.say("would replay %s (%s): %s", letter.LetterID, letter.Reason, letter.DeadLetter.Replay)
			continue
		}
		receipt, err := client.Replay(p.ctx, letter, r.AcceptDouble)
		if err != nil {
			return err
		}
		if err := p.receipt(c, receipt); err != nil {
			return err
		}
	}
	p.say("%d dead letters", len(letters))
	return nil
}
