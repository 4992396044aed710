package orders

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Releasing numbers has its own rules (P34). A disconnect cannot be looked up by a customer order id, but repeating it
// is harmless as long as each number is still the one that was meant. So each number is pinned to the Bandwidth order
// that holds it before the first POST, and read again before every other: what another order holds by then is left
// alone, in this generation and in every replay.
//
//	crash or lost reply                    what is left, and what happens then
//	before the claim is stored             nothing; the next tick reads the holders again
//	claim stored, crash before the POST    an open claim; after its time the holders are read, and what is still held as
//	                                       it was is sent again
//	POST sent, crash or lost reply         the same; what is not held any more is released, by our own lost POST
//	answered, crash before the record      the same

// Release is one intent to give numbers back.
type Release struct {
	N          int      `json:"n"`
	Generation int      `json:"generation"`
	Numbers    []string `json:"numbers,omitempty"`
	Post       Post     `json:"post"`
	// ClaimedAt is a server time before which the numbers were surely not released by this.
	ClaimedAt time.Time `json:"claimed_at"`
	// Status is Bandwidth's word as last read; Final says that it is settled.
	Status string        `json:"status,omitempty"`
	Final  bool          `json:"final,omitempty"`
	Errors []VendorError `json:"errors,omitempty"`

	Polls      int       `json:"polls,omitempty"`
	PollErrors int       `json:"poll_errors,omitempty"`
	NextPollAt time.Time `json:"next_poll_at,omitzero"`
	LastPoll   string    `json:"last_poll,omitempty"`
	// Later holds the fields of a later version, as they were read.
	Later map[string]json.RawMessage `json:"-"`
}

// Holder says who holds a number at Bandwidth.
type Holder struct {
	// OrderID is the order that brought the number; empty where nobody holds it.
	OrderID OrderID
	// Since is when that order was made, by Bandwidth's clock; zero where it does not say.
	Since time.Time
	// Unclear says that the number is held, but not by which order: it cannot be pinned, and is left alone.
	Unclear bool
}

// HoldersFact is what reading the holders of numbers gave.
type HoldersFact struct {
	// Holders are by number; every number that was asked for is in it.
	Holders map[string]Holder
	// Failed says that Bandwidth could not be asked; it is asked again at RetryAt, or by backoff.
	Failed  bool
	RetryAt time.Time
	// Paused says that the time until then does not count towards giving up (P22).
	Paused bool
	Detail string
}

// Codes of numbers that were not released.
const (
	// codeNotOurs is Bandwidth's for a number that is not on the account, codeNotInService for one that is not in
	// service. After an own lost POST both mean that it was released (P34).
	codeNotOurs      = "5006"
	codeNotInService = "5074"
	// CodeChanged is ours for a number that another order holds than the one that was meant.
	CodeChanged = "changed"
	// CodeUnclear is ours for a number of which Bandwidth does not say which order holds it.
	CodeUnclear = "unclear"
)

const (
	// maxReleases bounds the POSTs of one generation.
	maxReleases = 5
	// pinLength is how much of an order id's hash a pin keeps: a record of 5000 numbers has to stay small (P40).
	pinLength = 12
)

// pinOf returns what is kept of the order that holds a number.
func pinOf(id OrderID) string {
	sum := sha256.Sum256([]byte(id))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:pinLength])
}

// lastRelease returns this generation's last release, or nil.
func (r *Record) lastRelease() *Release {
	if n := len(r.Releases); n > 0 && r.Releases[n-1].Generation == r.Generation {
		return &r.Releases[n-1]
	}
	return nil
}

// releases counts this generation's releases.
func (r *Record) releases() int {
	n := 0
	for i := range r.Releases {
		if r.Releases[i].Generation == r.Generation {
			n++
		}
	}
	return n
}

// kept returns the numbers that are neither released nor given up in this generation.
func (r *Record) kept() []string {
	gone := map[string]bool{}
	for _, n := range r.Released {
		gone[n] = true
	}
	for _, numbers := range r.Refused {
		for _, n := range numbers {
			gone[n] = true
		}
	}
	var out []string
	for _, n := range r.Ask.Numbers {
		if !gone[n] {
			out = append(out, n)
		}
	}
	return out
}

// refuse gives up a number in this generation.
func (r *Record) refuse(number, code string) {
	if r.Refused == nil {
		r.Refused = map[string][]string{}
	}
	r.Refused[code] = append(r.Refused[code], number)
}

// perhapsReleased reports whether a POST of ours may have released a number that is neither released nor given up: one
// that was never answered, or one whose answer said nothing of it.
func (r *Record) perhapsReleased(number string) bool {
	for i := range r.Releases {
		rel := &r.Releases[i]
		silent := rel.Post.State == PostCreated && rel.Final // of what it said something, nobody asks any more
		if (rel.Post.State == PostUnknown || silent) && slices.Contains(rel.Numbers, number) {
			return true
		}
	}
	return false
}

// nextRelease decides for a disconnect.
func nextRelease(r *Record, c Conditions, s Settings, now time.Time) Action {
	if rel := r.lastRelease(); rel != nil {
		switch {
		case rel.Post.State == PostOpen:
			return nextOfClaim(r, rel.N, rel.Post.Token, rel.Post.Timeout, "a POST is in flight", s, now)
		case rel.Post.State == PostCreated && !rel.Final:
			if now.Before(rel.NextPollAt) {
				return wait(rel.NextPollAt, "Bandwidth is asked again then")
			}
			if c.ReadsHeldUntil.After(now) {
				return wait(c.ReadsHeldUntil, "reads are paused")
			}
			return Action{Kind: ActPollRelease, N: rel.N, OrderID: rel.Post.OrderID}
		}
	}
	if len(r.kept()) == 0 {
		return releaseVerdict(r, now)
	}
	begun := r.releases() > 0
	switch {
	case c.Sandbox:
		return wait(now.Add(5*s.PollMinInterval), "this worker is a sandbox and releases nothing for real orders")
	case !begun && c.CarrierDisabled:
		return finish(now, Failed, ReasonCarrierDisabled, carrierDisabled)
	case !begun && !c.Provisioning:
		return finish(now, Failed, ReasonProvisioningDisabled, provisioningDisabled)
	case r.Dry, r.RetryFor >= s.GiveUpAfter:
		return releaseVerdict(r, now)
	case c.ReleasesHeldUntil.After(now):
		return wait(c.ReleasesHeldUntil, "disconnects are paused")
	case c.ReadsHeldUntil.After(now):
		return wait(c.ReadsHeldUntil, "reads are paused")
	case r.NotBefore.After(now):
		return wait(r.NotBefore, "the last try could not be sent")
	}
	return Action{Kind: ActRelease, Numbers: r.kept()}
}

// releaseVerdict is the outcome of a disconnect that goes no further.
func releaseVerdict(r *Record, now time.Time) Action {
	kept := r.kept()
	outcome := r.ended()
	switch {
	case len(r.Missing()) == 0:
		return finish(now, Completed, "", "")
	case slices.ContainsFunc(kept, r.perhapsReleased), slices.ContainsFunc(r.Refused[CodeUnclear], r.perhapsReleased):
		return finish(now, outcome, ReasonOutcomeUnknown, "a disconnect was never answered: compare the numbers with Bandwidth")
	case len(kept) > 0 && r.releases() == 0:
		return finish(now, outcome, ReasonExhausted, "the numbers could not be released within the time that is given to it")
	case outcome == Partial:
		return finish(now, Partial, ReasonIncomplete, "")
	case slices.ContainsFunc(r.Releases, func(rel Release) bool { return rel.Generation == r.Generation && rel.Post.State == PostCreated }):
		return finish(now, Failed, ReasonBandwidthFailed, "")
	default:
		return finish(now, Failed, ReasonRejected, "")
	}
}

// sort takes in who holds the numbers: it returns those to be sent, with their pins, and gives up or counts as
// released the others (P34).
func (r *Record) sort(f HoldersFact, s Settings, now time.Time) (send []string, pins map[string]string) {
	pins = map[string]string{}
	for _, n := range r.kept() {
		h, asked := f.Holders[n]
		if !asked {
			continue
		}
		pinned, known := r.Pins[n]
		switch {
		case h.Unclear:
			r.refuse(n, CodeUnclear)
			r.pinNobody(n)
		case h.OrderID == "" && r.perhapsReleased(n):
			r.Released = append(r.Released, n)
		case h.OrderID == "":
			r.refuse(n, codeNotOurs)
			r.pinNobody(n)
		case !known && (h.Since.After(r.AcceptedAt) || h.Since.IsZero() && r.Generation > 1):
			// It was bought after the numbers were named, while no disconnect had read its holder yet.
			r.refuse(n, CodeChanged)
			r.pinNobody(n)
		case !known:
			pins[n] = pinOf(h.OrderID)
			send = append(send, n)
		case pinned == pinOf(h.OrderID):
			r.stillHeld(n, s, now)
			send = append(send, n)
		case r.perhapsReleased(n):
			r.Released = append(r.Released, n) // by our lost POST; it was bought again since
		default:
			r.refuse(n, CodeChanged)
		}
	}
	return send, pins
}

// stillHeld takes note that a number is held as it was: what was answered before, or has settled, did not release it.
func (r *Record) stillHeld(number string, s Settings, now time.Time) {
	for i := range r.Releases {
		rel := &r.Releases[i]
		settled := rel.Post.State == PostUnknown && !now.Before(rel.ClaimedAt.Add(s.SettleWindow))
		if rel.Post.State == PostCreated && rel.Final || settled {
			rel.Numbers = slices.DeleteFunc(slices.Clone(rel.Numbers), func(n string) bool { return n == number })
		}
	}
}

// awaitSettled puts off the next disconnect until those that were never answered can take effect no more.
func (r *Record) awaitSettled(s Settings) {
	for i := range r.Releases {
		rel := &r.Releases[i]
		if at := rel.ClaimedAt.Add(s.SettleWindow); rel.Post.State == PostUnknown && at.After(r.NotBefore) {
			r.NotBefore = at
		}
	}
}

// pinNobody notes that a number was held by no order that was meant: a replay leaves it alone, whoever holds it then.
func (r *Record) pinNobody(number string) {
	if _, known := r.Pins[number]; known {
		return
	}
	if r.Pins == nil {
		r.Pins = map[string]string{}
	}
	r.Pins[number] = ""
}

// claimRelease adds a release; the caller writes the record by compare-and-set before it sends anything (P9).
func (r *Record) claimRelease(numbers []string, pins map[string]string, token string, at, now time.Time) *Release {
	if r.Pins == nil {
		r.Pins = map[string]string{}
	}
	for n, pin := range pins {
		r.Pins[n] = pin
	}
	n := 1
	if len(r.Releases) > 0 {
		n = r.Releases[len(r.Releases)-1].N + 1
	}
	r.Releases = append(r.Releases, Release{
		N: n, Generation: r.Generation, Numbers: numbers, Post: Post{Token: token, At: at.UTC().Round(0)},
		ClaimedAt: now.UTC().Round(0),
	})
	r.note(now, "releasing", fmt.Sprintf("%d numbers", len(numbers)))
	return &r.Releases[len(r.Releases)-1]
}

// settleRelease records what came of a release's POST.
func (r *Record) settleRelease(n int, token string, f PostFact, s Settings, now time.Time) bool {
	i := slices.IndexFunc(r.Releases, func(rel Release) bool { return rel.N == n && rel.Post.Token == token })
	if i < 0 || r.Outcome != nil || r.Releases[i].Post.State == PostCreated || r.Releases[i].Post.State == PostRefused {
		return false
	}
	rel := &r.Releases[i]
	switch f.State {
	case PostOpen: // P13: nothing was sent
		r.Releases = slices.Delete(r.Releases, i, i+1)
		r.postponed(f, s, now)
	case PostUnknown:
		if rel.Post.State == PostUnknown {
			return false
		}
		rel.Post.State = PostUnknown
		r.NotBefore = now.Add(s.retryDelay(r.releases()))
		r.note(now, "unknown", f.Detail)
	case PostCreated:
		rel.Post.State, rel.Post.OrderID, rel.Status = PostCreated, f.OrderID, f.Status
		rel.NextPollAt = now.Add(s.PollMinInterval)
		r.Submitted++
		r.note(now, "submitted", string(f.OrderID))
	case PostRefused:
		rel.Post.State, rel.Post.Errors, rel.Final = PostRefused, keep(f.Errors), true
		r.note(now, "refused", f.Detail)
		code := ""
		if len(f.Errors) > 0 {
			code = f.Errors[0].Code
		}
		r.NotBefore = now.Add(s.retryDelay(r.releases()))
		for _, number := range rel.Numbers {
			if r.perhapsReleased(number) {
				r.awaitSettled(s) // P19, P34: a refusal decides nothing about the one before; the holders are read again
				continue
			}
			r.refuse(number, code)
		}
	}
	return true
}

// expireRelease marks a release whose time has passed without an answer as unknown (P12).
func (r *Record) expireRelease(n int, token string, now time.Time) bool {
	for i := range r.Releases {
		if rel := &r.Releases[i]; rel.N == n && rel.Post.Token == token && rel.Post.State == PostOpen {
			rel.Post.State = PostUnknown
			r.note(now, "unknown", "the worker that released the numbers did not record an answer in time")
			return true
		}
	}
	return false
}

// polledRelease records a poll of a disconnect. Completed are the numbers that it names as released.
func (r *Record) polledRelease(n int, f PollFact, s Settings, now time.Time) bool {
	i := slices.IndexFunc(r.Releases, func(rel Release) bool { return rel.N == n })
	if i < 0 || r.Outcome != nil || r.Releases[i].Final || r.Releases[i].LastPoll == f.ID {
		return false
	}
	rel := &r.Releases[i]
	rel.LastPoll = f.ID
	if f.Failed {
		rel.PollErrors++
		rel.NextPollAt = now.Add(s.pollDelay(rel.Polls+rel.PollErrors, Pending))
		return true
	}
	if rel.Status != f.Status {
		r.note(now, "status", f.Status)
	}
	rel.PollErrors = 0
	rel.Polls++
	rel.Status, rel.Errors = clip(f.Status, maxWord), keep(f.Errors)
	phase, _ := PhaseOf(f.Status, f.Errors)
	rel.NextPollAt = now.Add(s.pollDelay(rel.Polls, phase))
	if phase != Done {
		return true
	}
	codes := map[string]string{}
	for _, failed := range f.FailedNumbers {
		codes[failed.Number] = failed.Code
	}
	for _, number := range rel.Numbers {
		code, failed := codes[number]
		switch {
		case failed && r.perhapsReleased(number):
			if code == codeNotOurs || code == codeNotInService {
				r.Released = append(r.Released, number) // P34
			} else {
				r.awaitSettled(s) // P19: it decides nothing about the one that was never answered; the holder is read again
			}
		case failed:
			r.refuse(number, clip(code, maxWord))
		case WholeOrder(f.Status) || slices.Contains(f.Completed, number):
			r.Released = append(r.Released, number)
		}
		// What it says nothing about is read again, and sent again where it is still held as it was.
	}
	rel.Final = true
	return true
}

// releasedHoldings returns the numbers that this generation's disconnects gave back, as the registry is to hold them:
// since the claim of the disconnect, so that an order which bought one of them again meanwhile is newer (P36). Those
// of earlier generations were registered then.
func (r *Record) releasedHoldings() []Holding {
	var out []Holding
	left := map[string]bool{}
	for _, n := range r.Released {
		left[n] = true
	}
	for i := len(r.Releases) - 1; i >= 0; i-- { // the last one that was sent for a number found it as it was meant
		rel := &r.Releases[i]
		var numbers []string
		for _, n := range rel.Numbers {
			if left[n] && rel.Post.State != PostRefused {
				delete(left, n)
				numbers = append(numbers, n)
			}
		}
		out = append(out, Releases(r.Key, rel.Post.OrderID, rel.ClaimedAt, numbers...)...)
	}
	return out
}
