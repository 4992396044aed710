package orders

import "slices"

// Held returns the numbers that this order's Bandwidth orders brought (of a disconnect: released), over all generations, in the order in which
// they became known (P21a).
func (r *Record) Held() []string {
	if r.Kind == Disconnect && !r.Sandbox {
		return slices.Clone(r.Released)
	}
	var held []string
	seen := map[string]bool{}
	add := func(numbers []string) {
		for _, n := range numbers {
			if !seen[n] {
				seen[n] = true
				held = append(held, n)
			}
		}
	}
	add(r.Pretended)
	if r.Sandbox && r.Outcome != nil {
		add(r.Ask.Numbers) // named ones are pretended to be bought, or released, as one
	}
	for i := range r.Purchases {
		for _, o := range r.Purchases[i].Orders {
			add(o.Completed)
		}
	}
	return held
}

// Missing returns the numbers this generation asks for that are not held.
func (r *Record) Missing() []string {
	held := map[string]bool{}
	for _, n := range r.Held() {
		held[n] = true
	}
	var missing []string
	for _, n := range r.Ask.Numbers {
		if !held[n] {
			missing = append(missing, n)
		}
	}
	return missing
}

// Short returns how many numbers this generation still lacks: of those that are named, or of the quantity.
func (r *Record) Short() int {
	if r.Ask.Criteria == nil {
		return len(r.Missing())
	}
	return max(0, r.Ask.Quantity-(len(r.Held())-r.HeldBefore))
}

// got returns how many of the numbers that this generation asks for are held.
func (r *Record) got() int {
	if r.Ask.Criteria == nil {
		return len(r.Ask.Numbers) - len(r.Missing())
	}
	return r.Ask.Quantity - r.Short()
}

// ended returns the outcome of a generation that ends without everything it asks for.
func (r *Record) ended() string {
	if r.got() > 0 {
		return Partial
	}
	return Failed
}

// Tried returns the numbers that this generation's orders did not get or hold: a search leaves them out.
func (r *Record) Tried() []string {
	out := r.Held()
	for i := range r.Purchases {
		if p := &r.Purchases[i]; p.Generation == r.Generation {
			out = append(out, p.lost()...)
			if len(p.Posts)+len(p.Orders) == 0 {
				out = append(out, p.Numbers...) // chosen already
			}
		}
	}
	return out
}

// lost returns the numbers that a purchase surely did not get.
func (p *Purchase) lost() []string {
	out := slices.Clone(p.Taken)
	for _, o := range p.Orders {
		for _, numbers := range o.Failed {
			out = append(out, numbers...)
		}
	}
	if len(p.Orders) == 0 && p.refused() != nil {
		out = append(out, p.Numbers...)
	}
	return out
}

// refused returns the refusal that ended a purchase, or nil.
func (p *Purchase) refused() *Post {
	if len(p.Orders) > 0 || len(p.Posts) == 0 {
		return nil
	}
	if last := &p.Posts[len(p.Posts)-1]; last.State == PostRefused {
		return last
	}
	return nil
}

// Unplaced returns the missing numbers with the code that Bandwidth gave for each, if any.
func (r *Record) Unplaced() []FailedNumber {
	codes := map[string]string{}
	fallback := ""
	for i := range r.Purchases {
		p := &r.Purchases[i]
		if p.Generation != r.Generation {
			continue
		}
		for _, o := range p.Orders {
			for code, numbers := range o.Failed {
				for _, n := range numbers {
					codes[n] = code
				}
			}
		}
	}
	for code, numbers := range r.Refused {
		for _, n := range numbers {
			codes[n] = code
		}
	}
	if errs := r.Errors(); len(errs) == 1 {
		fallback = errs[0].Code
	}
	var out []FailedNumber
	for _, n := range r.Missing() {
		code, ok := codes[n]
		if !ok || code == "" {
			code = fallback
		}
		out = append(out, FailedNumber{Number: n, Code: code})
	}
	return out
}

// Errors returns what Bandwidth said about this generation's orders, each code and description once.
func (r *Record) Errors() []VendorError {
	var out []VendorError
	add := func(list []VendorError) {
		for _, e := range list {
			if !slices.Contains(out, e) {
				out = append(out, e)
			}
		}
	}
	add(r.SearchErrors)
	for i := range r.Releases {
		if rel := &r.Releases[i]; rel.Generation == r.Generation {
			add(rel.Post.Errors)
			add(rel.Errors)
		}
	}
	for i := range r.Purchases {
		p := &r.Purchases[i]
		if p.Generation != r.Generation {
			continue
		}
		for _, post := range p.Posts {
			add(post.Errors)
		}
		for _, o := range p.Orders {
			add(o.Errors)
		}
	}
	return out
}

// unclear reports whether an order has ended without saying which numbers it bought (P24), and nobody has taken the risk
// that it holds what is missing.
func (r *Record) unclear() bool {
	return slices.ContainsFunc(r.Purchases, func(p Purchase) bool {
		return !p.Waived && slices.ContainsFunc(p.Orders, func(o VendorOrder) bool { return o.Unclear })
	})
}

// waivedInTheDark reports whether a POST that was never found, and whose risk was taken, may still buy.
func (r *Record) waivedInTheDark() bool {
	return slices.ContainsFunc(r.Purchases, func(p Purchase) bool { return p.Waived && r.inTheDark(&p) })
}
