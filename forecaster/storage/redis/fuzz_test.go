package redis

import (
	"errors"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/storage/storetest"
)

// FuzzReadValue: whatever a Redis holds, it is either rejected with a reason
// or a valid snapshot of the workload that says the instant it is compared by.
func FuzzReadValue(f *testing.F) {
	good, err := value(storetest.Sample("shop/web", time.Unix(1_772_452_800, 0), 3))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{good, good[:40], []byte("k2 1\nx"), []byte("k1 \n"), []byte("hello"), nil, []byte("k1 -1\n{}"), []byte("k1 1772452860\n{}")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		s, err := readValue(v, "shop/web")
		if err != nil {
			if r := (*rejected)(nil); !errors.As(err, &r) || r.reason != foreign && r.reason != schema && r.reason != corrupt {
				t.Errorf("readValue(%q) = %v; want a reason", v, err)
			}
			return
		}
		at, err := readHeader(string(v[:min(len(v), maxHeader)]))
		if err != nil || !s.GeneratedAt.Equal(at) || s.Validate() != nil || s.Answers("shop/web") != nil {
			t.Errorf("readValue(%q) = %+v of %v, %v", v, s, at, err)
		}
		again, err := value(s)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := readValue(again, "shop/web"); err != nil || !same.GeneratedAt.Equal(s.GeneratedAt) {
			t.Errorf("what was read and written again = %v", err)
		}
	})
}
