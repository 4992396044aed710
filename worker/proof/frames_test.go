package proof

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// frame is one message of the NATS protocol, in either direction.
type frame struct {
	raw            []byte
	verb           string
	subject, reply string
	sid            string
	header         []byte
	payload        []byte
}

// nextFrame takes the first whole frame from what came in; ok is false where there is none yet.
func nextFrame(in []byte) (f frame, rest []byte, ok bool) {
	end := bytes.Index(in, []byte("\r\n"))
	if end < 0 {
		return frame{}, in, false
	}
	line := string(in[:end])
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return frame{raw: in[:end+2]}, in[end+2:], true
	}
	f.verb = fields[0]
	args := fields[1:]
	sizes := 0
	switch f.verb {
	case "PUB", "MSG":
		sizes = 1
	case "HPUB", "HMSG":
		sizes = 2
	case "SUB":
		f.subject, f.sid = args[0], args[len(args)-1]
	}
	if sizes == 0 {
		f.raw = in[:end+2]
		return f, in[end+2:], true
	}
	head, total := 0, number(args[len(args)-1])
	if sizes == 2 {
		head = number(args[len(args)-2])
	}
	names := args[:len(args)-sizes]
	f.subject = names[0]
	if strings.HasSuffix(f.verb, "MSG") {
		f.sid = names[1]
		names = names[1:]
	}
	if len(names) > 1 {
		f.reply = names[1]
	}
	whole := end + 2 + total + 2
	if len(in) < whole {
		return frame{}, in, false
	}
	body := in[end+2 : end+2+total]
	f.raw, f.header, f.payload = in[:whole], body[:head], body[head:]
	return f, in[whole:], true
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(fmt.Sprintf("the wire carries the size %q", s))
	}
	return n
}

// answerFrame is a message to the client on the subject of a reply.
func answerFrame(subject, sid string, header, payload []byte) []byte {
	if len(header) > 0 {
		return fmt.Appendf(nil, "HMSG %s %s %d %d\r\n%s%s\r\n", subject, sid, len(header), len(header)+len(payload), header, payload)
	}
	return fmt.Appendf(nil, "MSG %s %s %d\r\n%s\r\n", subject, sid, len(payload), payload)
}

// The server's answers that the wire gives in its place.
var (
	// noAnswer stands for an answer that never comes: it says nothing of whether the write took effect. Waiting for the
	// client's own ten seconds would say the same later.
	noAnswer = []byte(`{"type":"io.nats.jetstream.api.v1.pub_ack_response","error":{"code":503,"err_code":10008,"description":"jetstream system temporarily unavailable"}}`)
	// diskFull is what a server without room says.
	diskFull = []byte(`{"type":"io.nats.jetstream.api.v1.pub_ack_response","error":{"code":503,"err_code":10047,"description":"insufficient storage resources available"}}`)
	// taken acknowledges a message that the server never saw.
	taken = []byte(`{"stream":"BANDWIDTH_TIMERS","seq":1}`)
	// notFound is the server's answer to a direct read of what is not there.
	notFound = []byte("NATS/1.0 404 Message Not Found\r\n\r\n")
)
