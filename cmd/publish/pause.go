package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/user"

	"bandwidthworker/messages"
)

// pauseCmd holds back the fleet's calls of a group.
type pauseCmd struct {
	Group string `arg:"" help:"Bandwidth's rate group: ORDER (purchases), HISTORY (polls and lookups), SEARCH, DISCONNECT, PORT_IN or SUBSCRIPTION."`
	Why   string `env:"-" help:"What is shown to those who wonder: in /readyz and the workers' log."`
	By    string `env:"-" help:"Who pauses; you, if left out."`
}

// Run asks a worker to store the pause, which every worker sees.
func (u pauseCmd) Run(p *program, c *cli) error {
	client, done, err := p.client(c)
	if err != nil {
		return err
	}
	defer done()
	if u.By == "" {
		u.By = whoami()
	}
	answer, err := client.Pause(p.ctx, u.Group, u.Why, u.By)
	if err != nil {
		return asked(err)
	}
	return p.pause(c, answer, fmt.Sprintf("%s is paused: %s. Orders wait; none is lost. To go on: publish resume %s", answer.Group, answer.Why, answer.Group))
}

// resumeCmd ends a pause of a group.
type resumeCmd struct {
	Group string `arg:"" help:"The group, as in publish pause."`
}

// Run asks a worker to lift the pause.
func (r resumeCmd) Run(p *program, c *cli) error {
	client, done, err := p.client(c)
	if err != nil {
		return err
	}
	defer done()
	answer, err := client.Resume(p.ctx, r.Group)
	if err != nil {
		return asked(err)
	}
	text := answer.Group + " was not paused"
	if answer.WasPaused {
		text = fmt.Sprintf("%s goes on; it was paused: %s", answer.Group, answer.Why)
		if answer.By != "" {
			text += " (by " + answer.By + ")"
		}
	}
	return p.pause(c, answer, text)
}

func (p *program) pause(c *cli, answer messages.PauseAnswer, text string) error {
	if c.JSON {
		return json.NewEncoder(p.stdout).Encode(answer)
	}
	_, err := fmt.Fprintln(p.stdout, text)
	return err
}

// whoami names the person at the keyboard, as well as it can be told.
func whoami() string {
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil && name == "" {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
