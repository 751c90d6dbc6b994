package lease

import (
	"encoding/json"
	"testing"
)

// FuzzRead: whatever an API server answers, it is refused or a Lease with a
// version, without which no change of it could be told; and what is written of
// it is read again as the same.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"kind":"Lease","metadata":{"resourceVersion":"1"},"spec":{"holderIdentity":"a","renewTime":"2026-11-28T12:00:00.5Z"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := read(text)
		if err != nil {
			if r != (Record{}) {
				t.Errorf("read = %+v, %v; want nothing with an error", r, err)
			}
			return
		}
		if r.Version == "" {
			t.Errorf("read = %+v; want a version", r)
		}
		d := written(r)
		d.Kind = "Lease"
		again, err := json.Marshal(&d)
		if err != nil {
			return // a year that JSON does not know
		}
		same, err := read(again)
		if err != nil || same.Holder != r.Holder || same.Version != r.Version || same.Transitions != r.Transitions || same.Renewed.Unix() != r.Renewed.Unix() {
			t.Errorf("written and read again: %+v, %v; want %+v", same, err, r)
		}
	})
}
