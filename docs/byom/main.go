// Command byom is a model's service to start from: it forecasts that each
// step will be what it was a day before, plus how far the last hour lies above
// the same hour then. Replace the function forecast by a model of your own.
//
//	go run ./docs/byom -addr 127.0.0.1:9000
//
// It answers the question that Kedastral's model "byom" asks; the format is
// described in docs/models.md. It keeps no state: an answer follows from the
// question, so any number of copies may run.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"time"
)

// question is what is asked: forecast from each origin, an index into values,
// with nothing but the values before it.
type question struct {
	Version     int        `json:"version"`
	Start       time.Time  `json:"start"`
	StepSeconds int        `json:"stepSeconds"`
	Values      []*float64 `json:"values"` // null where nothing was observed
	Origins     []int      `json:"origins"`
	Horizon     int        `json:"horizon"`
	Levels      []float64  `json:"levels"` // quantiles wanted; giving none is allowed
}

type answer struct {
	Forecasts []path `json:"forecasts"` // one per origin
}

type path struct {
	Values []float64 `json:"values"` // the median of each step of the horizon
}

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *addr)
	if err == nil {
		err = serve(ctx, listener)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve answers until the context ends.
func serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: http.HandlerFunc(handle), ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(bounded) // Serve reports what matters
	})
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}

func handle(w http.ResponseWriter, r *http.Request) {
	var q question
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<20)).Decode(&q); err != nil {
		http.Error(w, "reading the question: "+err.Error(), http.StatusBadRequest)
		return
	}
	if q.Version != 1 || q.StepSeconds < 1 || q.Horizon < 1 || q.Horizon > 1<<16 {
		http.Error(w, "version must be 1, stepSeconds and horizon positive", http.StatusBadRequest)
		return
	}
	var a answer
	for _, origin := range q.Origins {
		if origin < 0 || origin > len(q.Values) {
			http.Error(w, fmt.Sprintf("origin %d: must be an index into %d values", origin, len(q.Values)), http.StatusBadRequest)
			return
		}
		a.Forecasts = append(a.Forecasts, path{forecast(q.Values[:origin], q.StepSeconds, q.Horizon)})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a) // a client that went away needs no answer
}

// forecast is the model. It sees nothing after the values it is given.
func forecast(values []*float64, stepSeconds, horizon int) []float64 {
	day, hour := 86400/stepSeconds, max(1, 3600/stepSeconds)
	n, last := len(values), newest(values)
	var above, pairs float64
	for t := max(day, n-hour); t < n && day > 0; t++ {
		if values[t] != nil && values[t-day] != nil {
			above += *values[t] - *values[t-day]
			pairs++
		}
	}
	out := make([]float64, horizon)
	for h := range out {
		out[h] = last
		if pairs == 0 {
			continue
		}
		if t := n + h - day*(h/day+1); t >= 0 && values[t] != nil {
			out[h] = *values[t] + above/pairs
		}
	}
	return out
}

// newest is the last value observed, or 0.
func newest(values []*float64) float64 {
	for _, v := range slices.Backward(values) {
		if v != nil {
			return *v
		}
	}
	return 0
}
