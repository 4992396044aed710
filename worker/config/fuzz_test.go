package config

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// FuzzDecode reads a file's content as [Load] does.
func FuzzDecode(f *testing.F) {
	seeds, err := filepath.Glob(filepath.Join("testdata", "*.*"))
	if err != nil || len(seeds) < 5 {
		f.Fatalf("only %d seeds in testdata: %v", len(seeds), err)
	}
	for _, path := range seeds {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("\xef\xbb\xbf"))
	f.Fuzz(func(t *testing.T, data []byte) {
		docs, err := decode(data)
		if err != nil {
			return
		}
		if len(docs) == 0 {
			t.Error("nothing was read, and that is no error")
		}
		v := Values{values: map[string]any{}, from: map[string]string{}}
		for _, d := range docs {
			if _, err := v.take("fuzzed", d, "worker@west"); err != nil {
				return
			}
		}
		// What was taken is a string or a list of strings, and nothing but settings.
		for key, value := range v.values {
			if !slices.Contains(Keys(), key) {
				t.Errorf("%s is no setting", key)
			}
			list, ok := value.([]any)
			if _, text := value.(string); !text && !ok {
				t.Errorf("%s is %T", key, value)
			}
			for _, item := range list {
				if _, ok := item.(string); !ok {
					t.Errorf("%s holds %T", key, item)
				}
			}
		}
	})
}
