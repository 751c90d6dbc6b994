package byom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/shared/forecast"
)

// ErrReply is what a service answered that is no forecast.
var ErrReply = errors.New("unusable reply")

// reply is what a service answers: one forecast per origin, in their order.
type reply struct {
	Forecasts []struct {
		Values    []float64           `json:"values"`
		Quantiles []forecast.Quantile `json:"quantiles"`
	} `json:"forecasts"`
}

// request encodes a question; gaps are null.
//
//	{"version":1,"start":"2024-03-04T00:00:00Z","stepSeconds":60,
//	 "values":[12.5,null,13],"origins":[3],"horizon":2,"levels":[0.5,0.9]}
func request(frame features.Frame, origins []int, levels []float64) ([]byte, error) {
	b := make([]byte, 0, 256+12*len(frame.Observed))
	b = append(b, `{"version":1,"start":"`...)
	b = frame.Start.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, `","stepSeconds":`...)
	b = strconv.AppendInt(b, int64(frame.Step/time.Second), 10)
	b = list(append(b, `,"values":`...), frame.Observed)
	b = append(b, `,"origins":[`...)
	for i, origin := range origins {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(origin), 10)
	}
	b = append(b, `],"horizon":`...)
	b = strconv.AppendInt(b, int64(frame.Horizon), 10)
	b = list(append(b, `,"levels":`...), levels)
	b = append(b, '}')
	if len(b) > maxRequest {
		return nil, fmt.Errorf("request of %d bytes for %d steps: must be at most %d", len(b), len(frame.Observed), maxRequest)
	}
	return b, nil
}

func list(b []byte, values []float64) []byte {
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		if series.Observed(v) {
			b = strconv.AppendFloat(b, v, 'g', -1, 64)
		} else {
			b = append(b, "null"...)
		}
	}
	return append(b, ']')
}

// decode reads and validates a reply to a question about so many origins.
func decode(body io.Reader, origins, horizon int, levels []float64) (reply, error) {
	raw, err := io.ReadAll(io.LimitReader(body, maxReply+1))
	if err != nil {
		return reply{}, fmt.Errorf("reading the reply: %w", err)
	}
	if len(raw) > maxReply {
		return reply{}, fmt.Errorf("reply of more than %d bytes: %w", maxReply, ErrReply)
	}
	var r reply
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if err := decoder.Decode(&r); err != nil {
		return reply{}, fmt.Errorf("reply is not the JSON expected: %w: %w", err, ErrReply)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return reply{}, fmt.Errorf("reply goes on after its JSON: %w", ErrReply)
	}
	return r, r.validate(origins, horizon, levels)
}

func (r reply) validate(origins, horizon int, levels []float64) error {
	if len(r.Forecasts) != origins {
		return fmt.Errorf("forecasts: %d, must be one per origin, %d: %w", len(r.Forecasts), origins, ErrReply)
	}
	for i, f := range r.Forecasts {
		if err := path(f.Values, horizon); err != nil {
			return fmt.Errorf("forecasts[%d].values: %w", i, err)
		}
		if f.Quantiles == nil {
			continue
		}
		if err := quantiles(f.Quantiles, f.Values, levels); err != nil {
			return fmt.Errorf("forecasts[%d].quantiles: %w", i, err)
		}
	}
	return nil
}

func path(values []float64, horizon int) error {
	if len(values) != horizon {
		return fmt.Errorf("%d values, must be one per step of the horizon, %d: %w", len(values), horizon, ErrReply)
	}
	if i := slices.IndexFunc(values, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }); i >= 0 {
		return fmt.Errorf("value %d is %v, must be finite: %w", i, values[i], ErrReply)
	}
	return nil
}

// quantiles must be those asked for, ascending, never crossing one another nor
// the median.
func quantiles(q []forecast.Quantile, median, levels []float64) error {
	if len(q) != len(levels) {
		return fmt.Errorf("%d levels, must be the %d asked for or none: %w", len(q), len(levels), ErrReply)
	}
	for i, level := range levels {
		if math.Abs(q[i].Level-level) > 1e-9 {
			return fmt.Errorf("level %v, must be %v: %w", q[i].Level, level, ErrReply)
		}
		q[i].Level = level
		if err := path(q[i].Values, len(median)); err != nil {
			return fmt.Errorf("level %v: %w", level, err)
		}
		for h, v := range q[i].Values {
			switch {
			case i > 0 && v < q[i-1].Values[h]:
				return fmt.Errorf("level %v is %v at step %d, below %v of level %v: levels must not cross: %w",
					level, v, h, q[i-1].Values[h], levels[i-1], ErrReply)
			case level < 0.5 && v > median[h] || level > 0.5 && v < median[h]:
				return fmt.Errorf("level %v is %v at step %d, on the wrong side of the value %v: %w",
					level, v, h, median[h], ErrReply)
			}
		}
	}
	return nil
}
