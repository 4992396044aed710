package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
)

// dlqEditCmd publishes a dead letter's request as a person has corrected it.
type dlqEditCmd struct {
	Key  string `arg:"" help:"The order's key."`
	File string `env:"-" placeholder:"FILE" help:"Take the edited body from a file in place of an editor; - for standard input."`
	Kind string `env:"-" help:"What was asked for, where the letter's kind is unknown."`
}

// Run opens the request in $VISUAL or $EDITOR, checks it as the worker will, and publishes it: in place of a request
// that touched no order, or as a replay of the order.
func (e dlqEditCmd) Run(p *program, c *cli) error {
	if err := checkKey(e.Key); err != nil {
		return exitError{exitUsage, err}
	}
	client, done, err := p.client(c)
	if err != nil {
		return err
	}
	defer done()
	letter, err := client.Letter(p.ctx, e.Key)
	if err != nil {
		return err
	}
	body, kept, err := e.body(p, letter)
	if err != nil {
		return err
	}
	hint := func(err error) error {
		if kept == "" {
			return err
		}
		return fmt.Errorf("%w\npublish: your text is kept: publish dlq edit %s --file %s", err, e.Key, kept)
	}
	if _, _, err := client.CheckEdit(letter, messages.Kind(e.Kind), body); err != nil {
		return exitError{exitUsage, hint(fmt.Errorf("nothing was published: %w", err))}
	}
	receipt, err := client.Edit(p.ctx, letter, messages.Kind(e.Kind), body)
	if err != nil && receipt.Key == "" {
		return hint(err)
	}
	if kept != "" {
		_ = os.Remove(kept)
	}
	if perr := p.receipt(c, receipt); perr != nil {
		return perr
	}
	if err != nil {
		return err // published, and the letter is still there
	}
	if letter.Generation > 0 {
		p.say("published as a replay of %s; a worker removes the dead letter when it begins", letter.LetterID)
	} else {
		p.say("published in place of %s, and its dead letter was removed", letter.LetterID)
	}
	return nil
}

// body returns the edited body, and the name of the file in which it stands where that is our own.
func (e dlqEditCmd) body(p *program, letter bus.Letter) (body []byte, kept string, err error) {
	switch e.File {
	case "":
		return e.editor(p, letter)
	case "-":
		body, err = io.ReadAll(io.LimitReader(os.Stdin, messages.MaxBody+1))
	default:
		body, err = os.ReadFile(e.File)
	}
	if err != nil {
		return nil, "", exitError{exitUsage, fmt.Errorf("--file: %w", err)}
	}
	return body, "", nil
}

// editor lets a person edit the letter's request in a file of mode 0600.
func (e dlqEditCmd) editor(p *program, letter bus.Letter) ([]byte, string, error) {
	text, whole := letter.Editable()
	if !whole {
		return nil, "", exitError{exitUsage, fmt.Errorf("%s keeps only the beginning of its request (%d of %d bytes): write it anew and give it by --file", letter.LetterID, len(text), letter.RawSize)}
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, text, "", "  ") == nil {
		text = append(pretty.Bytes(), '\n')
	}
	file, err := os.CreateTemp("", "dead-letter-"+letter.Key+"-*.json")
	if err != nil {
		return nil, "", err
	}
	name := file.Name()
	_, err = file.Write(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, "", err
	}
	for _, e := range letter.Errors {
		p.say("%s: %s", letter.Reason, e.Description)
	}
	words := strings.Fields(cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR"), "vi"))
	edit := exec.CommandContext(p.ctx, words[0], append(words[1:], name)...)
	edit.Stdin, edit.Stdout, edit.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := edit.Run(); err != nil {
		_ = os.Remove(name)
		return nil, "", fmt.Errorf("nothing was published: the editor %q: %w; set EDITOR, or use --file", words[0], err)
	}
	body, err := os.ReadFile(name)
	if err != nil {
		return nil, "", fmt.Errorf("nothing was published: %w", err)
	}
	if bytes.Equal(bytes.TrimSpace(body), bytes.TrimSpace(text)) || len(bytes.TrimSpace(body)) == 0 {
		_ = os.Remove(name)
		return nil, "", errors.New("nothing was changed, and nothing was published")
	}
	return body, name, nil
}
