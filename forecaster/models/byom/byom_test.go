package byom_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/byom"
	"github.com/kedastral/kedastral/shared/forecast"
)

func history(horizon int) features.Frame {
	values := make([]float64, 200)
	for i := range values {
		values[i] = float64(50 + i%10)
	}
	return features.Frame{
		Start: time.Date(2024, 3, 4, 0, 0, 0, 0, time.UTC), Step: time.Minute, Observed: values, Horizon: horizon,
	}
}

// service answers every question with the text, measured ones with zeros.
func service(t *testing.T, status int, text string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Origins []int
			Horizon int
			Levels  []float64
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			t.Errorf("the question is not JSON: %v", err)
		}
		if len(q.Levels) > 0 || status != http.StatusOK {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
			return
		}
		one := `{"values":[` + strings.TrimSuffix(strings.Repeat("54,", q.Horizon), ",") + `]}`
		_, _ = io.WriteString(w, `{"forecasts":[`+strings.TrimSuffix(strings.Repeat(one+",", len(q.Origins)), ",")+`]}`)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func trained(t *testing.T, o models.Options, horizon int) *byom.Model {
	t.Helper()
	if o.Levels == nil {
		o.Levels = []float64{0.5, 0.9}
	}
	m, err := byom.New(o, models.NewNaive(o))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Train(t.Context(), history(horizon)); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPredictTakesTheServicesQuantiles(t *testing.T) {
	url := service(t, http.StatusOK, `{"forecasts":[{"values":[-1,2],"quantiles":[
		{"level":0.5,"values":[-1,2]},{"level":0.9,"values":[3,4]}]}]}`)
	m := trained(t, models.Options{Service: models.Service{URL: url}}, 2)
	got, err := m.Predict(t.Context(), history(2))
	if err != nil {
		t.Fatal(err)
	}
	want := models.Forecast{Values: []float64{0, 2}, Quantiles: []forecast.Quantile{
		{Level: 0.5, Values: []float64{0, 2}}, {Level: 0.9, Values: []float64{3, 4}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Predict (-want +got), what is below zero raised to it:\n%s", diff)
	}
}

func TestPredictMakesQuantilesOfThePath(t *testing.T) {
	m := trained(t, models.Options{Service: models.Service{URL: service(t, http.StatusOK, `{"forecasts":[{"values":[54,54]}]}`)}}, 2)
	got, err := m.Predict(t.Context(), history(2))
	if err != nil {
		t.Fatal(err)
	}
	if who, cause := m.Answered(); who != byom.Service || cause != nil {
		t.Errorf("Answered() = %q, %v; want the service", who, cause)
	}
	// The truth cycles through 50 … 59; nine tenths of it are at or below 58.
	if q := got.Quantiles[1].Values[0]; q < 57 || q > 60 {
		t.Errorf("p90 = %v around a path of 54 that the truth exceeds by up to 5, want about 58", q)
	}
	if m.Score().Origins == 0 {
		t.Error("the service was not measured")
	}
}

func TestPredictFallsBack(t *testing.T) {
	big := `{"forecasts":[{"values":[1,` + strings.Repeat(" ", 16<<20) + `2]}]}`
	for name, tt := range map[string]struct {
		status int
		text   string
		want   string
	}{
		"an error":               {500, "", "500"},
		"a redirect":             {307, "", "307"},
		"no JSON":                {200, "<html>", "JSON"},
		"an empty object":        {200, "{}", "one per origin"},
		"more after the JSON":    {200, `{"forecasts":[{"values":[1,2]}]} {}`, "goes on"},
		"too many forecasts":     {200, `{"forecasts":[{"values":[1,2]},{"values":[1,2]}]}`, "one per origin"},
		"too few values":         {200, `{"forecasts":[{"values":[1]}]}`, "one per step"},
		"a number too large":     {200, `{"forecasts":[{"values":[1,1e999]}]}`, "JSON"},
		"a null":                 {200, `{"forecasts":[{"values":null}]}`, "one per step"},
		"a missing level":        {200, `{"forecasts":[{"values":[1,2],"quantiles":[{"level":0.5,"values":[1,2]}]}]}`, "asked for"},
		"another level":          {200, `{"forecasts":[{"values":[1,2],"quantiles":[{"level":0.5,"values":[1,2]},{"level":0.8,"values":[1,2]}]}]}`, "must be 0.9"},
		"crossing levels":        {200, `{"forecasts":[{"values":[1,2],"quantiles":[{"level":0.5,"values":[1,2]},{"level":0.9,"values":[1,1]}]}]}`, "cross"},
		"levels past the median": {200, `{"forecasts":[{"values":[3,3],"quantiles":[{"level":0.5,"values":[1,2]},{"level":0.9,"values":[2,2]}]}]}`, "wrong side"},
		"more than is read":      {200, big, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			m := trained(t, models.Options{Service: models.Service{URL: service(t, tt.status, tt.text), Timeout: time.Minute}}, 2)
			got, err := m.Predict(t.Context(), history(2))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]float64{59, 59}, got.Values); diff != "" {
				t.Errorf("the fallback repeats the last value (-want +got):\n%s", diff)
			}
			who, cause := m.Answered()
			if who != byom.Fallback || !errors.Is(cause, byom.ErrReply) || !strings.Contains(cause.Error(), tt.want) {
				t.Errorf("Answered() = %q, %v; want the fallback because of %q", who, cause, tt.want)
			}
		})
	}
}

// A service that comes back answers again; one that gives no quantiles waits
// for the next training to be measured.
func TestServiceComesBack(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `{"forecasts":[{"values":[7],"quantiles":[{"level":0.5,"values":[7]},{"level":0.9,"values":[8]}]}]}`)
	}))
	defer server.Close()
	m := trained(t, models.Options{Service: models.Service{URL: server.URL}}, 1)
	for _, want := range []string{byom.Fallback, byom.Service} {
		if _, err := m.Predict(t.Context(), history(1)); err != nil {
			t.Fatal(err)
		}
		if who, cause := m.Answered(); who != want {
			t.Errorf("Answered() = %q (%v), want %q", who, cause, want)
		}
		down.Store(false)
	}
}

func TestSlowServiceIsNotWaitedFor(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	m := trained(t, models.Options{Service: models.Service{URL: server.URL, Timeout: 20 * time.Millisecond}}, 1)
	if _, err := m.Predict(t.Context(), history(1)); err != nil {
		t.Fatal(err)
	}
	if who, cause := m.Answered(); who != byom.Fallback || cause == nil {
		t.Errorf("Answered() = %q, %v; want the fallback because of the time", who, cause)
	}
}

// A reply that begins and does not end counts against the time, too.
func TestDrippingServiceIsNotWaitedFor(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"forecasts":[{"values":[`)
		w.(http.Flusher).Flush()
		<-release
	}))
	defer server.Close()
	defer close(release)
	m := trained(t, models.Options{Service: models.Service{URL: server.URL, Timeout: 20 * time.Millisecond}}, 1)
	if _, err := m.Predict(t.Context(), history(1)); err != nil {
		t.Fatal(err)
	}
	if who, cause := m.Answered(); who != byom.Fallback || cause == nil {
		t.Errorf("Answered() = %q, %v; want the fallback because of the time", who, cause)
	}
}

// A history too long to send is not sent; the fallback forecasts it.
func TestQuestionsAreBounded(t *testing.T) {
	var bodies atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { bodies.Add(r.ContentLength) }))
	defer server.Close()
	o := models.Options{Levels: []float64{0.5, 0.9}, Service: models.Service{URL: server.URL}}
	m, err := byom.New(o, models.NewNaive(o))
	if err != nil {
		t.Fatal(err)
	}
	long := history(1)
	long.Observed = make([]float64, 1_000_000) // 17 digits each
	for i := range long.Observed {
		long.Observed[i] = 1e4 / 7 * float64(1+i%3)
	}
	if err := m.Train(t.Context(), long); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Predict(t.Context(), long); err != nil {
		t.Fatal(err)
	}
	if who, cause := m.Answered(); who != byom.Fallback || cause == nil || !strings.Contains(cause.Error(), "at most") || bodies.Load() > 0 {
		t.Errorf("Answered() = %q, %v after %d bytes were sent; want the fallback because of the size, and none", who, cause, bodies.Load())
	}
}

// Neither the history nor the token follows a redirect.
func TestTokenGoesWhereItIsConfigured(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host was asked, with Authorization %q", r.Header.Get("Authorization"))
	}))
	defer other.Close()
	var token atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token.Store(r.Header.Get("Authorization"))
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	trained(t, models.Options{Service: models.Service{URL: server.URL, Token: "abc"}}, 1)
	if got := token.Load(); got != "Bearer abc" {
		t.Errorf("Authorization = %q, want the bearer token", got)
	}
}

func TestNewRefuses(t *testing.T) {
	for want, s := range map[string]models.Service{
		"must be http or https": {URL: "ftp://model"},
		"with a host":           {URL: ""},
		"use a token":           {URL: "http://user:secret@model"},
		"one line":              {URL: "http://model", Token: "a\nb"},
		"must be positive":      {URL: "http://model", Timeout: -time.Second},
		"at most":               {URL: "http://model", Timeout: time.Hour},
	} {
		_, err := byom.New(models.Options{Service: s}, models.NewNaive(models.Options{}))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("New(%+v): %v; want %q and no secret", s, err, want)
		}
	}
}

// Whatever a service answers, a forecast keeps its promises.
func FuzzReply(f *testing.F) {
	f.Add(`{"forecasts":[{"values":[1,2],"quantiles":[{"level":0.5,"values":[1,2]},{"level":0.9,"values":[2,3]}]}]}`)
	f.Add(`{"forecasts":[{"values":[54,54]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		m := trained(t, models.Options{Service: models.Service{URL: service(t, http.StatusOK, text)}}, 2)
		got, err := m.Predict(t.Context(), history(2))
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Values) != 2 || len(got.Quantiles) != 2 {
			t.Fatalf("Predict = %+v, want two steps and two levels", got)
		}
		for h, v := range got.Values {
			if !(v >= 0) || !(got.Quantiles[1].Values[h] >= v) || got.Quantiles[1].Values[h] > 1e308*1.7 {
				t.Errorf("step %d: value %v, p90 %v", h, v, got.Quantiles[1].Values[h])
			}
		}
	})
}
