package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/capacity"
	"github.com/kedastral/kedastral/forecaster/series"
	"github.com/kedastral/kedastral/forecaster/storage"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/forecast"
)

// worker is one workload's ticks, one after the other, and what they left.
type worker struct {
	Workload
	pipeline   *Pipeline
	store      storage.Store
	metrics    *Metrics
	log        *slog.Logger
	clock      Clock
	maxDataAge time.Duration
	delay      time.Duration    // from a tick's instant until it is due
	history    series.DataFrame // of the last successful read, moved on to the last tick
	deaf       bool             // the newest read failed
	suspect    map[string]bool  // the kinds of warnings at the last tick
	punctual   int              // times in a row that no tick had to be skipped

	mu   sync.Mutex
	last outcome
}

// outcome is what the ticks so far came to.
type outcome struct {
	attempted bool
	at        time.Time // of the newest tick
	skipped   int
	fault     error             // of the newest tick
	deaf      bool              // it could not read
	stands    bool              // the newest tick published, fault or not
	published forecast.Snapshot // the newest; zero before the first
	decision  capacity.Decision // that it was published by
	taken     forecast.Snapshot // another engine's, where the newest tick was left to it; else zero
	warnings  []string          // of the newest read that succeeded
	history   series.DataFrame  // that the newest tick saw; no tick changes it, each makes its own
}

// current is the newest snapshot that there is to tell of.
func (o outcome) current() forecast.Snapshot {
	if !o.taken.GeneratedAt.IsZero() {
		return o.taken
	}
	return o.published
}

// reacting reports whether the newest tick had no forecast and published a plan
// for the load observed.
func (o outcome) reacting() bool { return o.stands && o.decision.NoForecast }

func newWorker(w Workload, o Options) *worker {
	k := &worker{Workload: w, store: o.Store, metrics: o.Metrics, log: o.Log.With("workload", w.Name), clock: o.Clock, maxDataAge: o.MaxDataAge, delay: o.Settle + w.jitter()}
	k.punctual = round // so that the first that is skipped is told
	k.pipeline = &Pipeline{w: w, metrics: o.Metrics}
	k.metrics.skipped(w.Name, 0) // a counter that begins with its first event hides it from increase()
	k.metrics.fellBack(w.Name, 0)
	return k
}

// tick does everything that is due for the history before at.
func (k *worker) tick(ctx context.Context, at time.Time) {
	k.log.DebugContext(ctx, "tick", "at", at)
	s, decision, warnings, err := k.guarded(ctx, at)
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {
		return // shutting down says nothing about the workload
	}
	k.mu.Lock()
	before := k.last
	k.last.attempted, k.last.at, k.last.fault, k.last.warnings, k.last.taken = true, at, err, warnings, forecast.Snapshot{}
	k.last.history, k.last.deaf, k.last.stands = k.history, k.deaf, !s.GeneratedAt.IsZero()
	if !s.GeneratedAt.IsZero() {
		k.last.published, k.last.decision = s, decision
	}
	k.mu.Unlock()
	k.metrics.failed(k.Name, err)
	switch {
	case !s.GeneratedAt.IsZero():
		k.metrics.published(s)
	case k.status(k.outcome(), k.clock.Now()).State == Silent:
		k.metrics.silenced(k.Name)
	}
	k.tell(ctx, before, k.outcome())
}

// follow leaves the tick of at to the engine that put the snapshot.
func (k *worker) follow(at time.Time, s forecast.Snapshot) {
	k.mu.Lock()
	k.last.attempted, k.last.at, k.last.fault, k.last.warnings, k.last.stands = true, at, nil, nil, true
	k.last.taken, k.last.published, k.last.decision, k.last.deaf = s, forecast.Snapshot{}, capacity.Decision{}, false
	k.mu.Unlock()
	k.metrics.unread(k.Name)
	k.metrics.published(s)
}

// guarded is forecast, and what the source warns of, where a panic in what no
// stage guards is a fault too: a name, a score, a warning.
func (k *worker) guarded(ctx context.Context, at time.Time) (s forecast.Snapshot, d capacity.Decision, warnings []string, err error) {
	err = guard(tickStage, func() (err error) {
		s, d, err = k.forecast(ctx, at)
		warnings = k.warned(ctx)
		return err
	})
	return s, d, warnings, err
}

// forecast runs the stages. It may both publish and fail: a failed read or fit
// leaves the last one to forecast from, and where the model fails altogether
// the load observed now is planned for. A snapshot that was not put is not
// returned.
func (k *worker) forecast(ctx context.Context, at time.Time) (forecast.Snapshot, capacity.Decision, error) {
	fault := k.collect(ctx, at)
	if k.history.Len() == 0 {
		return forecast.Snapshot{}, capacity.Decision{}, fault
	}
	if fault == nil {
		fault = k.pipeline.Train(ctx, k.history)
	}
	s, decision, err := k.snapshot(ctx, fault)
	if err != nil {
		fault = worse(fault, err)
	}
	if s.GeneratedAt.IsZero() {
		return forecast.Snapshot{}, capacity.Decision{}, fault
	}
	if s, err = k.put(ctx, s); err != nil {
		return forecast.Snapshot{}, capacity.Decision{}, worse(fault, err)
	}
	return s, decision, fault
}

// worse joins the faults of one tick.
func worse(first, then error) error {
	if why := cause(first, then); why != then { //nolint:errorlint // identity is the point
		return why
	}
	return errors.Join(first, then)
}

// cause is the fault behind the second one of a tick: a model that is untrained
// because its fit just failed is one fault and not two.
func cause(first, then error) error {
	if first != nil && reason(then) == "untrained" {
		return first
	}
	return then
}

// collect reads the history up to at, or keeps the one there was.
func (k *worker) collect(ctx context.Context, at time.Time) error {
	start := k.pipeline.Start(at)
	err := guard(collectStage, func() error {
		defer k.pipeline.timed(collectStage)()
		frame, err := k.Source.Collect(ctx, seconds(k.reach()))
		if err != nil {
			return err // it names the source and the metric
		}
		if err := onGrid(frame, k.Step); err != nil {
			return fmt.Errorf("history of %s from %s: %w", k.Metric, k.Source.Name(), err)
		}
		k.history = frame.Window(start, at)
		return nil
	})
	if err != nil && k.history.Len() > 0 {
		k.history = k.history.Window(start, at)
	}
	k.deaf = err != nil
	k.metrics.collected(k.Name, err == nil)
	return err
}

// warned is what the source says looks wrong although it could be read. The log
// tells of each kind when it begins: its text may hold numbers of the tick.
func (k *worker) warned(ctx context.Context) []string {
	warner, ok := k.Source.(adapters.Warner)
	if !ok {
		return nil
	}
	kinds := make(map[string]bool)
	var texts []string
	for _, w := range warner.Warnings() {
		if !k.suspect[w.Kind] && !kinds[w.Kind] {
			k.log.WarnContext(ctx, "the metric looks wrong", "kind", w.Kind, "seen", w.Text)
		}
		kinds[w.Kind] = true
		texts = append(texts, w.Text)
	}
	k.suspect = kinds
	k.metrics.warned(k.Name, kinds)
	return texts
}

// put publishes a snapshot whose data is young enough, with its age from now
// on.
func (k *worker) put(ctx context.Context, s forecast.Snapshot) (forecast.Snapshot, error) {
	err := guard(putStage, func() error {
		if err := k.tooOld(s, s.GeneratedAt); err != nil {
			return err
		}
		s.DelaySeconds = int(math.Ceil(k.delay.Seconds()))
		s.Received = k.clock.Now()
		s.AgeAtReceipt = max(0, s.Received.Sub(s.GeneratedAt))
		return k.store.Put(ctx, s)
	})
	return s, err
}

// tooOld says that at now there is too little known of the present to publish
// the snapshot. Its age counts, and not only its date, so that a clock that is
// set back makes nothing young.
func (k *worker) tooOld(s forecast.Snapshot, now time.Time) error {
	age := s.Age(now) + s.GeneratedAt.Sub(s.Observed.At)
	if age <= k.maxDataAge {
		return nil
	}
	return kindOf(errOldData, "the newest observation of %s ended at %s, %s ago; after MAX_DATA_AGE=%s nothing is published",
		k.Metric, s.Observed.At.Format(time.RFC3339), env.FormatDuration(age.Round(time.Second)), env.FormatDuration(k.maxDataAge))
}

// tell logs what changed: a fault when it begins, becomes another one, or
// begins to keep the forecast or any plan back, and its end. The ticks between
// say nothing above debug.
func (k *worker) tell(ctx context.Context, before, now outcome) {
	switch {
	case now.fault == nil && before.fault != nil:
		k.log.InfoContext(ctx, "tick succeeded again")
	case now.fault == nil:
	case before.fault != nil && reason(before.fault) == reason(now.fault) && before.stands == now.stands && before.reacting() == now.reacting():
		k.log.DebugContext(ctx, "tick failed again", "err", now.fault)
	default:
		attrs := []any{"err", oneLine(now.fault)}
		if f := (*fault)(nil); errors.As(now.fault, &f) && f.stack != nil {
			attrs = append(attrs, "stack", string(f.stack))
		}
		switch {
		case !now.stands:
			k.log.WarnContext(ctx, "tick failed, nothing is published", attrs...)
		case now.reacting():
			k.log.WarnContext(ctx, "tick failed, planned from the load observed now", attrs...)
		default:
			k.log.WarnContext(ctx, "tick failed, forecast from what was known before", attrs...)
		}
	}
}

// round is how often skipTo is asked around one tick: before it and after it.
const round = 2

// skipTo counts the ticks between the one that is wanted, if any is, and the
// one there is still time for, and returns that. It tells of them where a whole
// round before skipped none.
func (k *worker) skipTo(ctx context.Context, wanted, due time.Time) time.Time {
	switch {
	case wanted.IsZero():
		return due
	case !due.After(wanted):
		k.punctual++
		return wanted
	}
	skipped := int(due.Sub(wanted) / k.Interval)
	k.mu.Lock()
	k.last.skipped += skipped
	k.mu.Unlock()
	k.metrics.skipped(k.Name, skipped)
	level := slog.LevelDebug
	if k.punctual >= round {
		level = slog.LevelWarn
	}
	k.punctual = 0
	k.log.Log(ctx, level, "ticks skipped: the one before took too long", "skipped", skipped, "next", due)
	return due
}
