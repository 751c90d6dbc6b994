package forecast

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
)

// How a snapshot travels over HTTP.
const (
	// Path is where the latest snapshot is asked for, with ?workload=NAMESPACE/NAME.
	Path = "/forecast/current"
	// AgeHeader holds the snapshot's age in whole seconds as the forecaster's
	// own clock saw it when answering.
	AgeHeader = "Age"
	// MaxBytes bounds a document that is worth reading: a week of minutes with
	// five quantiles has a third of it.
	MaxBytes = 4 << 20
)

// Encode is the snapshot as JSON. One that breaks a rule is not encoded.
func Encode(s Snapshot) ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	s.inUTC()
	body, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encoding the snapshot of %s: %w", s.Workload, err)
	}
	return body, nil
}

// ETag is the entity tag of an encoded snapshot, quoted as the header wants
// it. The same forecast has the same tag from every replica and after every
// restart.
func ETag(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

// Decode reads one snapshot of at most maxBytes and validates it. Whatever it
// refuses wraps [ErrInvalid], except an error of r itself. Fields it does not
// know are a newer forecaster's and passed over; a null among numbers is not,
// for encoding/json would take it for zero load.
func Decode(r io.Reader, maxBytes int) (Snapshot, error) {
	body, err := io.ReadAll(io.LimitReader(r, int64(maxBytes)+1))
	if err != nil {
		return Snapshot{}, fmt.Errorf("reading a snapshot: %w", err)
	}
	if len(body) > maxBytes {
		return Snapshot{}, fmt.Errorf("%w: larger than %d bytes", ErrInvalid, maxBytes)
	}
	var s Snapshot
	if err := json.Unmarshal(body, &s); err != nil { // refuses trailing data as well
		return Snapshot{}, fmt.Errorf("%w: not JSON of a snapshot: %w", ErrInvalid, err)
	}
	if err := nulls(body); err != nil {
		return Snapshot{}, err
	}
	s.inUTC()
	if err := s.Validate(); err != nil {
		return Snapshot{}, err
	}
	return s, nil
}

// inUTC leaves what others hold of the snapshot alone.
func (s *Snapshot) inUTC() {
	s.GeneratedAt = s.GeneratedAt.UTC()
	if s.Observed != nil {
		s.Observed = &Observation{s.Observed.Value, s.Observed.At.UTC()}
	}
}

// nulls refuses a null in place of a number in any of the lists a plan is
// made from.
func nulls(body []byte) error {
	if !bytes.Contains(body, []byte("null")) {
		return nil
	}
	var doc struct {
		Values          []*json.Number `json:"values"`
		DesiredReplicas []*json.Number `json:"desiredReplicas"`
		ForecastPlan    []*json.Number `json:"forecastPlan"`
		Quantiles       []struct {
			Values []*json.Number `json:"values"`
		} `json:"quantiles"`
		Observed *struct {
			Value *json.Number `json:"value"`
		} `json:"observed"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return fmt.Errorf("%w: not JSON of a snapshot: %w", ErrInvalid, err)
	}
	lists := map[string][]*json.Number{"values": doc.Values, "desiredReplicas": doc.DesiredReplicas, "forecastPlan": doc.ForecastPlan}
	for i, q := range doc.Quantiles {
		lists[fmt.Sprintf("quantiles[%d].values", i)] = q.Values
	}
	if doc.Observed != nil {
		lists["observed.value"] = []*json.Number{doc.Observed.Value}
	}
	for name, list := range lists {
		for i, n := range list {
			if n == nil {
				return fmt.Errorf("%w: %s[%d]=null: must be a number", ErrInvalid, name, i)
			}
		}
	}
	return nil
}
