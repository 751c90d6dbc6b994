package prom

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/series"
)

// maxPoints is how many points of a series Prometheus gives at once.
const maxPoints = 11_000

// answer is what the source has between two instants.
type answer struct {
	frame  series.DataFrame
	labels model.Metric // of the one series; nil if there was none
}

// read asks for the steps from one instant to another, in parts if they are
// many. A fault in one part is one of the whole.
func (a *Adapter) read(ctx context.Context, from, to time.Time) (answer, error) {
	var out answer
	var samples []series.Sample
	retries := 1
	for start := from; start.Before(to); {
		end := start.Add(maxPoints * a.query.Step)
		if end.After(to) {
			end = to
		}
		part, err := a.ask(ctx, start, end, &retries)
		if err != nil {
			return answer{}, err
		}
		if part == nil {
			start = end
			continue
		}
		if out.labels != nil && !out.labels.Equal(part.Metric) {
			return answer{}, a.many("different series at different times")
		}
		if out.labels = part.Metric; out.labels == nil {
			out.labels = model.Metric{}
		}
		samples = a.keep(samples, part.Values, from, to)
		start = end
	}
	var err error
	if out.frame, err = series.Build(samples, a.query.Step, from, to); err != nil {
		return answer{}, a.fault(adapters.ErrConfig, adapters.ReasonConfig, err.Error())
	}
	return out, nil
}

// keep moves the values of a part to the steps they speak for. What lies
// outside of what was asked is dropped before it can overflow anything.
func (a *Adapter) keep(samples []series.Sample, values []model.SamplePair, from, to time.Time) []series.Sample {
	first, last := model.TimeFromUnix(from.Unix()), model.TimeFromUnix(to.Unix())
	now := model.TimeFromUnix(a.now().Unix())
	for _, v := range values {
		if v.Timestamp > now {
			a.ahead = max(a.ahead, ahead(v.Timestamp, now))
		}
		if v.Timestamp > first && v.Timestamp <= last {
			samples = append(samples, series.Sample{At: v.Timestamp.Time().Add(-a.query.Step), Value: float64(v.Value)})
		}
	}
	return samples
}

// ahead is the time between two instants, at most a year.
func ahead(t, now model.Time) time.Duration {
	const year = 365 * 24 * time.Hour
	if ms := uint64(t) - uint64(now); ms < uint64(year/time.Millisecond) {
		return time.Duration(ms) * time.Millisecond
	}
	return year
}

// ask asks one question, and once more if the trouble may pass and there is
// time for it.
func (a *Adapter) ask(ctx context.Context, from, to time.Time, retries *int) (*model.SampleStream, error) {
	stream, err := a.once(ctx, from, to)
	if !errors.Is(err, adapters.ErrTransient) || *retries == 0 || ctx.Err() != nil {
		return stream, err
	}
	pause := a.server.pause/2 + rand.N(a.server.pause+1)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < 2*pause {
		return nil, err
	}
	*retries--
	if sleep(ctx, pause) != nil {
		return nil, err
	}
	return a.once(ctx, from, to)
}

// once asks one question, when the source wants to be asked again at all.
func (a *Adapter) once(ctx context.Context, from, to time.Time) (*model.SampleStream, error) {
	if wait, ok := a.server.mayAsk(ctx); !ok {
		return nil, a.fault(adapters.ErrTransient, adapters.ReasonRateLimited,
			fmt.Sprintf("it asked not to be asked for another %v", wait.Round(time.Second)))
	} else if err := sleep(ctx, wait); err != nil {
		return nil, a.broken(ctx, err)
	}
	ctx, cancel := context.WithTimeout(ctx, a.server.timeout)
	defer cancel()
	span := v1.Range{Start: from.Add(a.query.Step), End: to, Step: a.query.Step}
	value, _, _, err := a.api.QueryRange(ctx, a.query.text(), span, v1.WithTimeout(wholeSeconds(a.server.timeout)))
	var fault *adapters.Fault
	switch {
	case errors.As(err, &fault):
		return nil, fault
	case err != nil:
		return nil, a.fault(adapters.ErrTransient, adapters.ReasonBadResponse, "a result that is not the API's")
	}
	return a.single(value)
}

// wholeSeconds rounds up: Prometheus reads no fractions.
func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// single is the one series of a result, or nil of none.
func (a *Adapter) single(value model.Value) (*model.SampleStream, error) {
	matrix, ok := value.(model.Matrix)
	switch {
	case !ok:
		return nil, a.fault(adapters.ErrTransient, adapters.ReasonBadResponse, "an answer without a result")
	case len(matrix) == 0:
		return nil, nil
	case len(matrix) > 1:
		return nil, a.many(fmt.Sprintf("%d series", len(matrix)))
	case matrix[0] == nil:
		return nil, a.fault(adapters.ErrTransient, adapters.ReasonBadResponse, "a result that is not the API's")
	case len(matrix[0].Histograms) > 0:
		return nil, a.fault(adapters.ErrConfig, adapters.ReasonResultType,
			"a series of histograms: the query must give numbers, as by histogram_count() or histogram_quantile()")
	}
	return matrix[0], nil
}

func (a *Adapter) many(what string) error {
	return a.fault(adapters.ErrConfig, adapters.ReasonManySeries,
		what+": must be one; wrap the query in sum(...), or set the aggregate to sum")
}

// longestHush caps what a source may ask for by Retry-After.
const longestHush = time.Minute

// hush keeps all questions back for a while.
func (s *Server) hush(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if until := time.Now().Add(min(d, longestHush)); until.After(s.quiet) {
		s.quiet = until
	}
}

// mayAsk is how long to wait before the next question, and whether that is
// worth it: not beyond the deadline, nor longer than an answer may take.
func (s *Server) mayAsk(ctx context.Context) (time.Duration, bool) {
	s.mu.Lock()
	wait := max(0, time.Until(s.quiet))
	s.mu.Unlock()
	if deadline, ok := ctx.Deadline(); ok && wait > 0 && wait >= time.Until(deadline) {
		return wait, false
	}
	return wait, wait <= s.timeout
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
