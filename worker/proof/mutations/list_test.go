package mutations

// mutation removes a rule of the protocol from the code.
type mutation struct {
	rule string
	what string
	file string // from the root
	// edits are pairs of a text that stands exactly once in the file, and what stands in its place.
	edits [][2]string
	// runs chooses the enumerated plans of worker/proof that catch it, by an expression; empty where none can.
	runs string
	// unit is a package and an expression for the tests in it that catch it, where runs is empty.
	unit [2]string
	// why says why no run can catch it.
	why string
}

// all are the mutations, one at least for each rule.
var all = []mutation{
	{
		rule: "P1", what: "a new order is acked without a timer", file: "orders/intake.go",
		edits: [][2]string{{"if admission == AdmitNew || admission == AdmitUnfinished {", "if admission == AdmitUnfinished {"}},
		runs:  `\(created\).*dies ack.request after #1`,
	},
	{
		rule: "P2", what: "a duplicate of an unfinished order sets no timer", file: "orders/intake.go",
		edits: [][2]string{{"if admission == AdmitNew || admission == AdmitUnfinished {", "if admission == AdmitNew {"}},
		runs:  `\(created\).*dies record.new after #1`,
	},
	{
		rule: "P3", what: "a tick that has nothing to do yet is acked without a new timer", file: "orders/driver.go",
		edits: [][2]string{{"return d.rearm(ctx, r.Key, t, a.Until, r.Revision)", "return nil"}},
		runs:  `timers vanish`,
	},
	{
		rule: "P4", what: "a tick on a finished order clears its timer", file: "orders/driver.go",
		edits: [][2]string{{
			"return d.close(ctx, r) // P4",
			"if err := d.close(ctx, r); err != nil {\n\t\t\t\treturn err\n\t\t\t}\n\t\t\treturn d.Bus.SetTimer(ctx, r.Key, d.Clock.Now().Add(24*time.Hour), r.Revision) // P4",
		}},
		runs: `a replay starts while a tick is at the finished order`,
	},
	{
		rule: "P5", what: "a tick that finds no record is acked", file: "orders/driver.go",
		edits: [][2]string{{"return d.rearm(ctx, t.Key, t, d.Clock.Now().Add(d.Settings.PollMinInterval), t.Revision)", "return nil"}},
		unit:  [2]string{"./orders", "TestP5_"},
		why:   "whether a tick finds its record is a matter of moments: the run of that name notices it by chance only",
	},
	{
		rule: "P6", what: "orders are not entered among the open ones", file: "orders/intake.go",
		edits: [][2]string{{"if err := d.Index.Open(ctx, r.Key, r.Generation); err != nil {", "if err := error(nil); err != nil {"}},
		runs:  `P6: the worker dies, and its timer is lost`,
	},
	{
		rule: "P7", what: "a tick that comes early is acked without a new timer", file: "orders/driver.go",
		edits: [][2]string{
			{"for range maxSteps {", "for i := range maxSteps {"},
			{"if a.Kind == ActWait {", "if a.Kind == ActWait && i == 0 && t.At.Before(a.Until) {\n\t\t\treturn nil\n\t\t}\n\t\tif a.Kind == ActWait {"},
		},
		runs: `timers vanish`,
	},
	{
		rule: "P8", what: "pace, pauses and token are waited for after the intent", file: "orders/place.go",
		edits: [][2]string{
			{"if postponed, err := d.prepare(ctx, r, prepare); postponed", "if postponed, err := (*Record)(nil), error(nil); postponed"},
			{"return d.Carrier.Place(", "if err := prepare(ctx); err != nil {\n\t\t\t\treturn PostFact{State: PostUnknown, Detail: err.Error()}\n\t\t\t}\n\t\t\treturn d.Carrier.Place("},
		},
		unit: [2]string{"./orders", "TestP8_"},
		why:  "it costs needless doubt and no money: who waits too long finds the claim expired, and a pause that is known holds an order back before all this",
	},
	{
		rule: "P9", what: "the intent is not written before the POST", file: "orders/posting.go",
		edits: [][2]string{{"revision, err := d.Store.Update(ctx, next)", "revision, err := r.Revision, error(nil)"}},
		runs:  `\((created|lost after creation)\).*dies post.answered before #1`,
	},
	{
		rule: "P10", what: "a POST is sent though its intent was not written, or somebody else wrote first", file: "orders/posting.go",
		edits: [][2]string{{"if err != nil {\n\t\t// P10", "if err != nil && next == nil {\n\t\t// P10"}},
		runs:  `P10 P12: a rival claims first`,
	},
	{
		rule: "P11", what: "a POST has no deadline", file: "orders/posting.go",
		edits: [][2]string{{"claimed.Add(d.Settings.PostTimeout)) // P11", "claimed.Add(time.Hour)) // P11"}},
		runs:  `P11: stands still between intent and POST`,
	},
	{
		rule: "P12", what: "a POST is sent under another's claim", file: "orders/posting.go",
		edits: [][2]string{{"if !p.stands(next) {", "if len(next.Purchases) == 0 {"}},
		runs:  `P10 P12: a rival claims first`,
	},
	{
		rule: "P13", what: "a claim whose POST was surely not sent stays", file: "orders/facts.go",
		edits: [][2]string{{"case PostOpen:\n\t\t// P13", "case \"never\":\n\t\t// P13"}},
		runs:  `\(429\).*dies index.open before #1`,
	},
	{
		rule: "P14", what: "all POSTs of a request have one customer order id", file: "orders/facts.go",
		edits: [][2]string{{"names.CustomerOrderID(r.Key, n)", "names.CustomerOrderID(r.Key, 1)"}},
		runs:  `\(created\).*dies index.open before #1`,
	},
	{
		rule: "P15", what: "an answer whose record was written meanwhile is dropped", file: "orders/posting.go",
		edits: [][2]string{{"return p.settle(r, fact) })", "return r.Revision == next.Revision && p.settle(r, fact) })"}},
		runs:  `P15: the answer comes after the claim has expired`,
	},
	{
		rule: "P16", what: "a lookup that could not look counts", file: "worker/bandwidth.go",
		edits: [][2]string{{"fact.Counted = err == nil", "fact.Counted = true"}},
		runs:  `P16: lookups fail`,
	},
	{
		rule: "P17", what: "whatever order holds the number is adopted", file: "orders/facts.go",
		edits: [][2]string{{"if o.CustomerOrderID == p.CustomerOrderID && p.adopt(o.OrderID, o.Status, s, now) {\n\t\t\tfound = true", "if p.adopt(o.OrderID, o.Status, s, now) {\n\t\t\tfound = true"}},
		runs:  `P17: another system holds the number`,
	},
	{
		rule: "P18", what: "the second POST does not wait for the settle window and five looks", file: "orders/next.go",
		edits: [][2]string{{"p.Looks >= looksNeeded && p.LateLooks >= 1 && !p.NumbersForbidden", "!p.NumbersForbidden"}},
		unit:  [2]string{"./orders", "TestP18_"},
		why:   "exact numbers are sold once, so a second POST that comes too early mostly costs no money: the run of that name notices it by chance only",
	},
	{
		rule: "P19", what: "a refused second POST decides about the first", file: "orders/purchase.go",
		edits: [][2]string{{"case PostCreated:\n\t\t\tnamed++", "case PostRefused:\n\t\t\treturn 0\n\t\tcase PostCreated:\n\t\t\tnamed++"}},
		runs:  `P19: the second POST is refused`,
	},
	{
		rule: "P20", what: "a verdict is certain though a POST is unresolved", file: "orders/next.go",
		edits: [][2]string{{"case r.Unresolved(), r.cancelled() && r.waivedInTheDark():", "case r.cancelled() && r.waivedInTheDark():"}},
		runs:  `P20 P21: the order exists`,
	},
	{
		rule: "P21", what: "a replay forgets the POSTs that had no answer", file: "orders/intake.go",
		edits: [][2]string{{
			"if p.unresolved() > 0 {\n\t\t\t// P21",
			"for j := range p.Posts {\n\t\t\tif p.Posts[j].State == PostUnknown {\n\t\t\t\tp.Posts[j].State = PostRefused\n\t\t\t}\n\t\t}\n\t\tif p.unresolved() > 0 {\n\t\t\t// P21",
		}},
		runs: `P20 P21: the order exists`,
	},
	{
		rule: "P21a", what: "an order's numbers are those of its last Bandwidth order", file: "orders/numbers.go",
		edits: [][2]string{{
			"for i := range r.Purchases {\n\t\tfor _, o := range r.Purchases[i].Orders {\n\t\t\tadd(",
			"for i := max(0, len(r.Purchases)-1); i < len(r.Purchases); i++ {\n\t\tfor _, o := range r.Purchases[i].Orders {\n\t\t\tadd(",
		}},
		runs: `\(created\).*dies index.open before #1`,
	},
	{
		rule: "P21b", what: "a replay that may buy twice needs no header", file: "orders/intake.go",
		edits: [][2]string{{"if (r.unresolved(p) && !p.soldOnce() || p.PortIn && r.inTheDark(p)) && !a.AcceptDouble {", "if false {"}},
		runs:  `P21b: a backorder of which nobody knows`,
	},
	{
		rule: "P22", what: "time in which the fleet is held back counts towards giving up", file: "orders/facts.go",
		edits: [][2]string{{"case f.Paused:\n\t\twait = s.PollMinInterval", "case f.Paused:\n\t\twait = s.PollMinInterval\n\t\tr.RetryFor += s.GiveUpAfter"}},
		runs:  `\(429\).*dies index.open before #1`,
	},
	{
		rule: "P23", what: "the mark is written before event and letter", file: "orders/driver.go",
		edits: [][2]string{
			{"letter, err := d.Bus.PublishOutcome(ctx, r)", "letter, err := uint64(0), error(nil)"},
			{"d.tellCancel(ctx, next)", "if _, err := d.Bus.PublishOutcome(ctx, r); err != nil {\n\t\t\treturn nil, err\n\t\t}\n\t\td.tellCancel(ctx, next)"},
		},
		runs: `\(created\).*dies record.mark after #1`,
	},
	{
		rule: "P24", what: "a final word counts without its numbers", file: "orders/status.go",
		edits: [][2]string{{"if quantity != nil && *quantity != len(completed) {\n\t\treturn true\n\t}", "if len(completed) >= 0 {\n\t\treturn false\n\t}"}},
		runs:  `P24: a final word without its numbers`,
	},
	{
		rule: "P25", what: "a replay that was taken already begins a generation", file: "orders/intake.go",
		edits: [][2]string{{"return same(a.ReplayOf + 1)", "return AdmitNew"}},
		runs:  `P25: two operators replay`,
	},
	{
		rule: "P26", what: "the letter of a replay stays", file: "orders/intake.go",
		edits: [][2]string{{"c.StaleLetters = append(c.StaleLetters, c.Outcome.LetterSequence)", "_ = c.Outcome.LetterSequence"}},
		runs:  `\(created\).*dies index.open before #1`,
	},
	{
		rule: "P27", what: "a refused request speaks under the key of the order that has its request id", file: "worker/outbox.go",
		edits: [][2]string{{"key := w.names.LetterlessKey(in.subject, in.data, in.sequence)", "key := w.names.Key(in.tenant, in.requestID())"}},
		runs:  `P27 P29: duplicates`,
	},
	{
		rule: "P28", what: "a fault in the program ends the message", file: "worker/consumer.go",
		edits: [][2]string{{"*d = again(panicWait)", "*d = dead(\"poison\")"}},
		unit:  [2]string{"./worker", "TestP28_"},
		why:   "no schedule of faults outside the worker makes it panic",
	},
	{
		rule: "P29", what: "a repeat carries the sequence of the last write", file: "orders/driver.go",
		edits: [][2]string{{"next := r.Clone()\n\t\tnext.keepSequence()", "next := r.Clone()"}},
		runs:  `P27 P29: duplicates`,
	},
}
