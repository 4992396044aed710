package main

import (
	"errors"
	"fmt"
	"slices"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
)

// dlqDiscardCmd removes dead letters.
type dlqDiscardCmd struct {
	Keys   []string `arg:"" optional:"" name:"key" help:"Keys of the orders."`
	Reason string   `env:"-" help:"Those with this reason."`
	Yes    bool     `env:"-" help:"Needed to discard more than one."`
}

// Run removes each letter by its own sequence. The orders' records stay.
func (d dlqDiscardCmd) Run(p *program, c *cli) error {
	if (len(d.Keys) > 0) == (d.Reason != "") {
		return exitError{exitUsage, errors.New("choose what to discard, in one way: keys or --reason")}
	}
	errs := []error{checkReason(d.Reason)}
	for _, key := range d.Keys {
		errs = append(errs, checkKey(key))
	}
	if err := errors.Join(errs...); err != nil {
		return exitError{exitUsage, err}
	}
	client, done, err := p.client(c)
	if err != nil {
		return err
	}
	defer done()
	letters, err := d.letters(p, client)
	if err != nil {
		return err
	}
	if len(letters) > 1 && !d.Yes {
		for _, l := range letters {
			if err := p.letter(c, l); err != nil {
				return err
			}
		}
		return exitError{exitUsage, fmt.Errorf("these %d dead letters would be discarded, and none was: add --yes to discard them", len(letters))}
	}
	discarded := 0
	for _, l := range letters {
		err := client.Discard(p.ctx, l)
		if errors.Is(err, bus.ErrLetterGone) {
			p.say("%v", err)
			continue
		}
		if err != nil {
			p.say("%d of %d dead letters were discarded before this", discarded, len(letters))
			return err
		}
		discarded++
		if err := p.letter(c, l); err != nil {
			return err
		}
	}
	p.say("discarded: %d; their orders' records stay, and so do numbers that they hold", discarded)
	return nil
}

// letters returns the chosen letters; a key without one is an error, before anything is removed.
func (d dlqDiscardCmd) letters(p *program, client *bus.Client) ([]bus.Letter, error) {
	var out []bus.Letter
	for i, key := range d.Keys {
		if slices.Contains(d.Keys[:i], key) {
			continue
		}
		l, err := client.Letter(p.ctx, key)
		if err != nil {
			return nil, fmt.Errorf("%w; nothing was discarded", err)
		}
		out = append(out, l)
	}
	if d.Reason == "" {
		return out, nil
	}
	for l, err := range client.Letters(p.ctx, bus.Filter{Reason: messages.Reason(d.Reason)}) {
		if err != nil {
			return nil, fmt.Errorf("%w; nothing was discarded", err)
		}
		out = append(out, l)
	}
	return out, nil
}
