package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/kedastral/kedastral/shared/forecast"
)

// How many workloads one exchange is about.
const (
	valuesAtOnce = 32 // of some kilobytes each
	looksAtOnce  = 512
)

// Put implements [storage.Store].
func (s *Store) Put(ctx context.Context, snapshot forecast.Snapshot) error {
	return errors.Join(s.PutAll(ctx, []forecast.Snapshot{snapshot})...)
}

// PutAll puts several snapshots in few exchanges. Element i of the answer is
// what [Store.Put] would have said of element i. After an exchange in which
// nothing could be put the rest is not tried.
func (s *Store) PutAll(ctx context.Context, snapshots []forecast.Snapshot) []error {
	errs := make([]error, 0, len(snapshots))
	for some := range slices.Chunk(snapshots, valuesAtOnce) {
		failed := s.puts(ctx, some)
		errs = append(errs, failed...)
		if !slices.Contains(failed, nil) {
			rest := slices.Repeat(failed[:1], len(snapshots)-len(errs))
			return append(errs, rest...)
		}
	}
	return errs
}

// puts is one exchange.
func (s *Store) puts(ctx context.Context, snapshots []forecast.Snapshot) []error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	errs, answers := make([]error, len(snapshots)), make([]*goredis.Cmd, len(snapshots))
	pipe := s.client.Pipeline()
	for i, snapshot := range snapshots {
		args, err := arguments(snapshot, s.TTL)
		if err != nil {
			errs[i] = fmt.Errorf("storing the snapshot of %q: %w", snapshot.Workload, err)
			continue
		}
		answers[i] = pipe.Eval(ctx, put, []string{s.key(snapshot.Workload)}, args...)
	}
	if pipe.Len() == 0 {
		return errs
	}
	unsent := execute(ctx, pipe)
	for i, answer := range answers {
		if answer == nil {
			continue
		}
		set, err := 0, unsent
		if err == nil {
			set, err = answer.Int()
		}
		if err != nil {
			errs[i] = fmt.Errorf("storing the snapshot of %q: %w", snapshots[i].Workload, plain(err))
		}
		s.Metrics.wrote(set, err)
	}
	return errs
}

// GetLatest implements [storage.Store]. A value that is not a snapshot of the
// workload is absent.
func (s *Store) GetLatest(ctx context.Context, workload string) (forecast.Snapshot, bool, error) {
	found, err := s.fetch(ctx, []string{workload})
	if err != nil || len(found) == 0 {
		return forecast.Snapshot{}, false, err
	}
	return found[0], true, nil
}

// Newer is every snapshot of these workloads that was generated after the
// instant given for it; the zero time stands for any. It looks at the first
// line of all of them and fetches what is newer. With an error it still
// answers with what it could fetch.
func (s *Store) Newer(ctx context.Context, than map[string]time.Time) ([]forecast.Snapshot, error) {
	names := slices.Sorted(maps.Keys(than))
	var found []forecast.Snapshot
	for looked := range slices.Chunk(names, looksAtOnce) {
		newer, err := s.look(ctx, looked, than)
		if err != nil {
			return found, err
		}
		for some := range slices.Chunk(newer, valuesAtOnce) {
			fetched, err := s.fetch(ctx, some)
			found = append(found, fetched...)
			if err != nil {
				return found, err
			}
		}
	}
	return found, nil
}

// look is which of the workloads have a value newer than what is known.
func (s *Store) look(ctx context.Context, names []string, than map[string]time.Time) ([]string, error) {
	heads, err := s.ranges(ctx, names, maxHeader)
	if err != nil {
		return nil, err
	}
	var newer []string
	for i, head := range heads {
		if head == "" {
			s.Metrics.missed()
			continue
		}
		at, err := readHeader(head)
		switch {
		case err != nil:
			s.reject(ctx, names[i], err)
		case at.After(than[names[i]]):
			newer = append(newer, names[i])
		}
	}
	return newer, nil
}

// fetch is the snapshots of workloads that have one.
func (s *Store) fetch(ctx context.Context, names []string) ([]forecast.Snapshot, error) {
	values, err := s.ranges(ctx, names, maxValue+1) // one more is too long, and refused for it
	if err != nil {
		return nil, err
	}
	var found []forecast.Snapshot
	for i, v := range values {
		if v == "" {
			s.Metrics.missed()
			continue
		}
		snapshot, err := readValue([]byte(v), names[i])
		if err != nil {
			s.reject(ctx, names[i], err)
			continue
		}
		s.Metrics.found()
		found = append(found, snapshot)
	}
	return found, nil
}

// ranges is the beginning of the workloads' values, empty where there is
// none. What is not a string is told apart by a mark that no value begins
// with.
func (s *Store) ranges(ctx context.Context, names []string, most int) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	pipe := s.client.Pipeline()
	answers := make([]*goredis.StringCmd, len(names))
	for i, name := range names {
		answers[i] = pipe.GetRange(ctx, s.key(name), 0, int64(most)-1)
	}
	unsent := execute(ctx, pipe)
	out := make([]string, len(names))
	for i, answer := range answers {
		v, err := answer.Result()
		if err == nil {
			err = unsent
		}
		switch {
		case err == nil:
			out[i] = v
		case strings.HasPrefix(err.Error(), "WRONGTYPE"):
			out[i] = "\x00"
		default:
			s.Metrics.unread()
			return nil, fmt.Errorf("reading the snapshot of %q: %w", names[i], plain(err))
		}
	}
	return out, nil
}

// execute sends the commands. Each has its own error then; the one returned
// is of a connection that could not be made, which the library leaves out of
// the commands, so that they look answered.
func execute(ctx context.Context, pipe goredis.Pipeliner) error {
	commands, err := pipe.Exec(ctx)
	for _, c := range commands {
		if c.Err() != nil {
			return nil
		}
	}
	return err //nolint:wrapcheck // the caller says what it was about
}

func (s *Store) reject(ctx context.Context, workload string, err error) {
	reason := corrupt
	if r := (*rejected)(nil); errors.As(err, &r) {
		reason = r.reason
	}
	s.Metrics.rejected(reason)
	s.Log.DebugContext(ctx, "value in the shared store rejected", "workload", workload, "err", err)
}
