package modeltest

import (
	"math"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
)

// Fuzz turns bytes into histories. Whatever they are, the model refuses a
// short one with models.ErrTooShort or answers with a forecast that keeps
// every promise of its type.
func Fuzz(f *testing.F, newModel New) {
	f.Helper()
	f.Add([]byte{1}, uint8(3), uint16(60))
	f.Add([]byte("\x00\x00\xff\xff\x00\x80\x80\x10 a b a b a b a b a b"), uint8(12), uint16(3600))
	f.Add([]byte("zzzzzzzz\xff\xff\xff\xff\x02zzzzzzzzzzzzzzzz\xfe\xfe"), uint8(40), uint16(900))
	long := make([]byte, 600)
	for i := range long {
		long[i] = byte(128 + 60*daily(i, 96))
	}
	f.Add(long, uint8(24), uint16(900))
	f.Fuzz(func(t *testing.T, bytes []byte, horizon uint8, step uint16) {
		if len(bytes) > 1000 || horizon == 0 || step == 0 {
			return
		}
		h := fuzzed(bytes, int(horizon), time.Duration(step)*time.Second)
		m := newModel(options())
		if low, _ := extremes(h.Observed); math.IsInf(low, 1) {
			if m.Train(t.Context(), h) == nil {
				t.Fatal("Train on nothing: no error")
			}
			return
		}
		if !refused(t, m.Train(t.Context(), h), h) {
			predict(t, m, h)
		}
	})
}

// fuzzed reads a byte as a step: 255 is a gap, 254 an infinity, 253 a spike,
// 252 what was there before; small ones are counts, larger ones go negative.
func fuzzed(bytes []byte, horizon int, step time.Duration) features.Frame {
	return frame(step, horizon, len(bytes), func(i int) float64 {
		switch b := bytes[i]; {
		case b == 255:
			return nan
		case b == 254:
			return math.Inf(1)
		case b == 253:
			return 1e9
		case b == 252 && i > 0 && bytes[i-1] < 240:
			return float64(bytes[i-1])
		case b >= 240:
			return -float64(b)
		default:
			return float64(b)
		}
	})
}
