package main

import "bandwidthworker/messages"

// disconnectCmd gives numbers back.
type disconnectCmd struct {
	requestFlags `embed:""`
	Numbers      []string `arg:"" name:"number" help:"Numbers in E.164, such as +19195551234."`
	Mode         string   `env:"-" placeholder:"normal|purge" help:"normal if left out: Bandwidth keeps the numbers for you for a while; purge gives them away at once."`
	Protected    string   `env:"-" placeholder:"true|false|unchanged" help:"Whether the numbers are protected from being purged from now on."`
}

// Run publishes the request.
func (d disconnectCmd) Run(p *program, c *cli) error {
	if err := checkNumbers(d.Numbers); err != nil {
		return err
	}
	r := d.request()
	r.Numbers, r.Mode, r.Protected = d.Numbers, d.Mode, d.Protected
	return publish(p, c, messages.Disconnect, r, d.requestFlags)
}

// cancelCmd closes a provision.
type cancelCmd struct {
	requestFlags   `embed:""`
	OrderRequestID string `arg:"" name:"order-request-id" help:"Request id of the provision that is to buy nothing more; the cancel has one of its own (--request-id)."`
}

// Run publishes the request.
func (a cancelCmd) Run(p *program, c *cli) error {
	r := a.request()
	r.OrderRequestID = a.OrderRequestID
	return publish(p, c, messages.Cancel, r, a.requestFlags)
}
