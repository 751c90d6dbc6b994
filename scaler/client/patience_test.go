package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/forecast"
)

// busy answers 429, as the forecaster itself does, until it is not any more,
// and counts how often it was asked meanwhile.
func busy(after string, ends *atomic.Bool, asked *atomic.Int32) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if ends.Load() {
			good(w, r)
			return
		}
		asked.Add(1)
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		forecast.NewProblem(http.StatusTooManyRequests, "too many requests").Write(w)
	}
}

// up is what the metric says of the first forecaster.
func (r rig) up(t *testing.T) float64 {
	t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "kedastral_scaler_forecaster_up" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatal("no forecaster_up")
	return 0
}

// A forecaster that asks for patience is not hammered: it is asked once in the
// time that it named, or in a while where it named none.
func TestAWishForPatienceIsRespected(t *testing.T) {
	for name, after := range map[string]string{
		"seconds": "5", "a date": time.Now().Add(7 * time.Second).UTC().Format(http.TimeFormat),
	} {
		var ends atomic.Bool
		var asked atomic.Int32
		c := dial(t, time.Second, busy(after, &ends, &asked))
		began := time.Now()
		for i := 0; time.Since(began) < 1200*time.Millisecond; i++ {
			_, _ = c.Latest(t.Context(), fmt.Sprintf("shop/w-%d", i%9))
			time.Sleep(20 * time.Millisecond)
		}
		if asked.Load() != 1 {
			t.Errorf("%s: asked %d times; want once in the time named", name, asked.Load())
		}
	}
	var ends atomic.Bool
	var asked atomic.Int32
	c := dial(t, time.Second, busy("", &ends, &asked))
	began := time.Now()
	for time.Since(began) < 1200*time.Millisecond {
		_, _ = c.Latest(t.Context(), "shop/web")
		time.Sleep(20 * time.Millisecond)
	}
	if n := asked.Load(); n < 2 || n > 3 {
		t.Errorf("asked %d times in 1.2 s; want two or three, with pauses that double", n)
	}
}

// It is alive: what tells that a forecaster is down does not speak of it, and
// another is asked meanwhile.
func TestPatienceIsNotDown(t *testing.T) {
	var ends atomic.Bool
	var asked atomic.Int32
	c := dial(t, time.Second, busy("1", &ends, &asked))
	if _, err := c.Latest(t.Context(), "shop/web"); err == nil {
		t.Fatal("Latest() of a busy forecaster: no error")
	}
	if _, err := c.Latest(t.Context(), "shop/api"); !errors.Is(err, forecast.ErrBusy) {
		t.Errorf("Latest() while it is left alone = %v; want %v", err, forecast.ErrBusy)
	}
	if up := c.up(t); up != 1 {
		t.Errorf("forecaster_up = %v of one that answers 429; want 1", up)
	}
	if n := counted(t, c.reg, "kedastral_scaler_fetch_errors_total", "throttled"); n != 1 {
		t.Errorf("%v counted as throttled; want 1", n)
	}
	ends.Store(true)
	deadline := time.Now().Add(5 * time.Second)
	for {
		if _, err := c.Latest(t.Context(), "shop/web"); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("not asked again within 5 s of a Retry-After of one")
		}
		time.Sleep(20 * time.Millisecond)
	}

	ends.Store(false)
	two := dial(t, time.Second, busy("5", &ends, &asked), good)
	for range 3 {
		if _, err := two.Latest(t.Context(), "shop/web"); err != nil {
			t.Errorf("Latest() = %v; want the other forecaster's answer", err)
		}
	}
}

// A 429 that is not the forecaster's own says nothing of it, good or bad.
func TestAProxysPatienceLeavesOpenWhoIsUp(t *testing.T) {
	var proxied atomic.Bool
	c := dial(t, time.Second, func(w http.ResponseWriter, r *http.Request) {
		if proxied.Load() {
			status(http.StatusTooManyRequests, "local_rate_limited")(w, r)
			return
		}
		good(w, r)
	})
	cold := dial(t, time.Second, status(http.StatusTooManyRequests, "local_rate_limited"))
	_, _ = cold.Latest(t.Context(), "shop/web")
	if up := cold.up(t); up != 0 {
		t.Errorf("forecaster_up = %v before any word of it; want 0", up)
	}
	_, _ = c.Latest(t.Context(), "shop/web")
	proxied.Store(true)
	_, _ = c.Latest(t.Context(), "shop/web")
	if up := c.up(t); up != 1 {
		t.Errorf("forecaster_up = %v after a proxy's 429; want what it was, 1", up)
	}
}
