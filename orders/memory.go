package orders

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// Memory is a [Store], an [Index] and a [Registry] in memory, for tests and for programs that may forget. The zero value is empty
// and ready for use. It is safe for concurrent use.
type Memory struct {
	mu       sync.Mutex
	revision uint64
	records  map[ID]memoryRecord
	open     map[ID]IndexEntry
	numbers  map[string]Holding
}

type memoryRecord struct {
	data     []byte
	revision uint64
	at       time.Time
}

var (
	_ Store    = (*Memory)(nil)
	_ Index    = (*Memory)(nil)
	_ Registry = (*Memory)(nil)
)

// Get returns a copy of the record, or [ErrNotFound].
func (m *Memory) Get(_ context.Context, key ID) (*Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stored, ok := m.records[key]
	if !ok {
		return nil, ErrNotFound
	}
	r, err := Unmarshal(stored.data)
	if err != nil {
		return nil, err
	}
	r.Revision, r.WrittenAt = stored.revision, stored.at
	return r, nil
}

// Create stores a record that does not exist yet, or returns [ErrConflict].
func (m *Memory) Create(_ context.Context, r *Record) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.records[r.Key]; ok {
		return 0, ErrConflict
	}
	return m.put(r)
}

// Update replaces the record that was read at r.Revision, or returns [ErrConflict].
func (m *Memory) Update(_ context.Context, r *Record) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if stored, ok := m.records[r.Key]; !ok || stored.revision != r.Revision {
		return 0, ErrConflict
	}
	return m.put(r)
}

func (m *Memory) put(r *Record) (uint64, error) {
	data, err := r.Marshal()
	if err != nil {
		return 0, err
	}
	if m.records == nil {
		m.records = map[ID]memoryRecord{}
	}
	m.revision++
	m.records[r.Key] = memoryRecord{data: data, revision: m.revision, at: time.Now().UTC().Round(0)}
	return m.revision, nil
}

// Open enters an order among the open ones. An entry of this generation or a later one stays.
func (m *Memory) Open(_ context.Context, key ID, generation int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open == nil {
		m.open = map[ID]IndexEntry{}
	}
	if e, ok := m.open[key]; ok && e.Generation >= generation {
		return nil
	}
	m.open[key] = IndexEntry{Key: key, Generation: generation, At: time.Now().UTC().Round(0)}
	return nil
}

// Close takes an order out of the open ones if its entry names this generation or an earlier one.
func (m *Memory) Close(_ context.Context, key ID, generation int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open[key].Generation <= generation {
		delete(m.open, key)
	}
	return nil
}

// Entries calls f for each open order, in no particular order, until f returns false.
func (m *Memory) Entries(_ context.Context, f func(IndexEntry) bool) error {
	m.mu.Lock()
	entries := make([]IndexEntry, 0, len(m.open))
	for _, e := range m.open {
		entries = append(entries, e)
	}
	m.mu.Unlock()
	for _, e := range entries {
		if !f(e) {
			break
		}
	}
	return nil
}

// Register writes each holding where it precedes what is there.
func (m *Memory) Register(ctx context.Context, holdings []Holding) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.numbers == nil {
		m.numbers = map[string]Holding{}
	}
	for _, h := range holdings {
		if result, write := Precede(m.numbers[RegistryKey(h.Number)], h); write {
			m.numbers[RegistryKey(h.Number)] = result
		}
	}
	return nil
}

// Number returns what is known of a number, or [ErrNoNumber].
func (m *Memory) Number(_ context.Context, number string) (Holding, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h, ok := m.numbers[RegistryKey(number)]
	if !ok {
		return Holding{}, ErrNoNumber
	}
	return h, nil
}

// Numbers calls f for each number that is registered, in no particular order, until f returns false.
func (m *Memory) Numbers(f func(Holding) bool) {
	m.mu.Lock()
	held := slices.Collect(maps.Values(m.numbers))
	m.mu.Unlock()
	for _, h := range held {
		if !f(h) {
			return
		}
	}
}
