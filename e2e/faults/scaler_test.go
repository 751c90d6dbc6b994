package faults_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kedastral/kedastral/e2e/kedalike"
)

// A scaler that starts while its forecaster hangs says so, and at once.
func TestScalerStartsCold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{})
	s, relay := w.scalers[0], w.relays[0]
	w.row(t, fault{
		id: "S1", what: "a scaler starts, knows nothing, and the forecaster hangs", made: "SIGKILL, started again without answers",
		strike: func() {
			w.load.enter(newFinding("", "", ""), true)
			s.kill()
			relay.tell(hang)
			relay.forget()
			w.watch.forget()
			s.start(t)
			eventually(t, 15*time.Second, "the scaler is ready", answers("http://"+s.http+"/readyz"))
			time.Sleep(2 * time.Second) // KEDA's connection is made again
		},
		mend: relay.honest, lasts: 5 * time.Second, becomes: "stale", heals: 8 * time.Second,
	})
	w.row(t, fault{
		id: "S1b", what: "ten thousand names that nobody forecasts are asked for", made: "GetMetrics from 16 callers",
		beside: w.askForNobody, lasts: 2 * time.Second, heals: 5 * time.Second, quiet: true,
	})
}

// askForNobody asks for ten thousand workloads that do not exist. Each answer is
// that nobody forecasts it, or that this is not known yet.
func (w *world) askForNobody(f *finding) {
	const names, callers = 10_000, 16
	client, err := kedalike.Dial(w.scalers[0].grpc)
	if err != nil {
		f.broke(expected, "%v", err)
		return
	}
	defer func() { _ = client.Close() }()
	var refused, pending atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for caller := range callers {
		all.Go(func() {
			for i := caller; i < names; i += callers {
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				_, err := client.Value(ctx, kedalike.Ref("demo", fmt.Sprintf("nobody-%d", i), nil), "x")
				cancel()
				switch status.Code(err) {
				case codes.NotFound:
					refused.Add(1)
				case codes.Unavailable:
					pending.Add(1)
				default:
					f.broke(ignorance, "asked for what nobody forecasts: %v", err)
				}
			}
		})
	}
	all.Wait()
	f.remark("%d names in %.1f s: nobody forecasts %d, and of %d it was not known yet", names, time.Since(began).Seconds(), refused.Load(), pending.Load())
	if refused.Load() < names/2 {
		f.broke(expected, "of %d names that nobody forecasts %d were told to be so", names, refused.Load())
	}
}

// Of two scalers one dies, hangs, or is replaced.
func TestScalerOneOfTwo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{scalers: 2, rate: 400})
	one := w.scalers[0]
	w.load.retries.Store(true)
	w.row(t, fault{
		id: "S2", what: "one of two scalers is killed", made: "SIGKILL; callers ask again once, as KEDA does",
		strike: one.kill, mend: func() { one.start(t) }, again: true,
		lasts: 3 * time.Second, heals: 5 * time.Second,
	})
	w.row(t, fault{
		id: "S3", what: "one of two scalers hangs until its liveness probe has it killed", made: "SIGSTOP, then SIGKILL after 3 failed probes a second apart",
		strike: func() {
			one.signal(t, syscall.SIGSTOP)
			go w.kubelet(t, one)
		},
		lasts: 7 * time.Second, heals: 5 * time.Second, again: true, slow: 15 * time.Second,
	})
	w.load.retries.Store(false)
	w.row(t, fault{
		id: "S5", what: "both scalers are replaced, one after the other, with streams open", made: "SIGTERM, started again; nobody asks again",
		beside: func(*finding) {
			for _, s := range w.scalers {
				ended := w.stream(s)
				s.stop(t, 15*time.Second)
				w.watch.forget() // the next process knows nothing
				if err := <-ended; err != nil {
					t.Errorf("a stream ended with %v when its scaler drained; want its end", err)
				}
				s.start(t)
				eventually(t, 15*time.Second, "the scaler is ready", answers("http://"+s.http+"/readyz"))
				time.Sleep(2500 * time.Millisecond) // until its callers are back
			}
		},
		lasts: time.Second, heals: 5 * time.Second, again: true,
	})
	w.load.retries.Store(true)
	w.row(t, fault{
		id: "S4", what: "all scalers are down", made: "SIGKILL",
		strike: func() {
			w.load.enter(newFinding("", "", ""), true)
			for _, s := range w.scalers {
				s.kill()
			}
		},
		mend: func() {
			for _, s := range w.scalers {
				s.start(t)
			}
		},
		down: true, lasts: 3 * time.Second, heals: 7 * time.Second, again: true,
	})
}

// kubelet kills and restarts what does not answer its liveness probe.
func (w *world) kubelet(t *testing.T, s *service) {
	failed := 0
	for failed < 3 {
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		code, _, err := get(ctx, "http://"+s.http+"/healthz")
		cancel()
		if err == nil && code == 200 {
			return
		}
		failed++
	}
	s.kill()
	s.start(t)
}

// stream is a push trigger on one scaler; what it ended with is sent.
func (w *world) stream(s *service) <-chan error {
	ended, open := make(chan error, 1), make(chan struct{}, 16)
	client, err := kedalike.Dial(s.grpc)
	if err != nil {
		ended <- err
		return ended
	}
	go func() {
		ended <- client.Watch(context.Background(), kedalike.Ref("demo", "w0", nil), func(bool) { open <- struct{}{} })
		_ = client.Close()
	}()
	select {
	case <-open:
	case <-time.After(5 * time.Second):
	}
	return ended
}

// A cache too small for what is asked costs fetches and is told of, and no
// answer is wrong.
func TestScalerCacheTooSmall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{workloads: 12, scaler: map[string]string{"CACHE_SIZE": "4"}, lazy: true})
	w.judge.forgetful, w.judge.several = true, true
	w.row(t, fault{
		id: "S8", what: "the cache holds a third of the workloads in use", made: "CACHE_SIZE=4 for 12",
		lasts: 5 * time.Second, heals: 5 * time.Second,
		well: func(time.Time) error { return nil }, waits: true,
		during: func(f *finding) {
			all, err := w.scalers[0].metrics(w.t.Context())
			if err != nil || sum(all, "kedastral_scaler_cache_evictions_total") == 0 || !strings.Contains(w.scalers[0].log.String(), "CACHE_SIZE is too small") {
				f.broke(expected, "evictions are not told of: %v", err)
			}
		},
	})
}
