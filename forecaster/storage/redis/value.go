package redis

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kedastral/kedastral/shared/forecast"
)

// Why a value is not a snapshot to go by.
const (
	foreign = "foreign" // not written by a forecaster
	schema  = "schema"  // written in a format that is not this one
	corrupt = "corrupt" // a forecaster's header over something else
)

// rejected is a value that nothing is done with.
type rejected struct {
	reason string
	err    error
}

func (r *rejected) Error() string { return r.reason + ": " + r.err.Error() }
func (r *rejected) Unwrap() error { return r.err }

const (
	version   = "1"
	mark      = "k" + version + " "
	maxHeader = len(mark) + 12 // seconds until the year 5138, and the line's end
	maxValue  = maxHeader + forecast.MaxBytes
)

// put sets KEYS[1] to ARGV[1] unless it holds a value that is the newer, which
// is the rule of [forecast.Snapshot.Replaces]: by GeneratedAt (ARGV[2]), and
// what is from the future of the newcomer (ARGV[3]; 0 where not known) was
// dated by a clock that was set back and gives way. What is no value of this
// format is not newer. It answers 1 if it was set.
const put = `
local head = redis.pcall('GETRANGE', KEYS[1], 0, 31)
local held = type(head) == 'string' and tonumber(string.match(head, '^` + mark + `(%d+)\n'))
local generated, received = tonumber(ARGV[2]), tonumber(ARGV[3])
if held and generated < held and not (received > 0 and held > received) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[4])
return 1`

func (s *Store) key(workload string) string { return s.Prefix + ":" + version + ":" + workload }

// value is a snapshot as it is stored.
func value(s forecast.Snapshot) ([]byte, error) {
	body, err := forecast.Encode(s)
	if err != nil {
		return nil, err
	}
	return append([]byte(header(s.GeneratedAt)), body...), nil
}

func header(generated time.Time) string {
	return mark + strconv.FormatInt(generated.Unix(), 10) + "\n"
}

// arguments are those of the script.
func arguments(s forecast.Snapshot, ttl time.Duration) ([]any, error) {
	v, err := value(s)
	if err != nil {
		return nil, err
	}
	received := "0"
	if !s.Received.IsZero() {
		received = strconv.FormatFloat(float64(s.Received.UnixMilli())/1000, 'f', 3, 64)
	}
	return []any{v, strconv.FormatInt(s.GeneratedAt.Unix(), 10), received, strconv.FormatInt(ttl.Milliseconds(), 10)}, nil
}

// readHeader is the GeneratedAt that the beginning of a value tells.
func readHeader(head string) (time.Time, error) {
	line, _, found := strings.Cut(head[:min(len(head), maxHeader)], "\n")
	seconds, ours := strings.CutPrefix(line, mark)
	if !ours || !found {
		var other, at int64
		if n, _ := fmt.Sscanf(line, "k%d %d", &other, &at); n == 2 {
			return time.Time{}, &rejected{schema, fmt.Errorf("format %d: this forecaster knows %s", other, version)}
		}
		return time.Time{}, &rejected{foreign, errors.New("it does not begin as a forecaster's does")}
	}
	at, err := strconv.ParseUint(seconds, 10, 40)
	if err != nil {
		return time.Time{}, &rejected{corrupt, errors.New("its instant is not a number of seconds")}
	}
	return time.Unix(int64(at), 0).UTC(), nil
}

// readValue is the snapshot that a value holds.
func readValue(v []byte, workload string) (forecast.Snapshot, error) {
	at, err := readHeader(string(v[:min(len(v), maxHeader)]))
	if err != nil {
		return forecast.Snapshot{}, err
	}
	_, body, _ := bytes.Cut(v, []byte("\n"))
	s, err := forecast.Decode(bytes.NewReader(body), forecast.MaxBytes)
	if err != nil {
		return forecast.Snapshot{}, &rejected{corrupt, err}
	}
	if err := s.Answers(workload); err != nil {
		return forecast.Snapshot{}, &rejected{corrupt, err}
	}
	if !s.GeneratedAt.Equal(at) {
		return forecast.Snapshot{}, &rejected{corrupt, fmt.Errorf("its first line says %v and its snapshot %v", at, s.GeneratedAt)}
	}
	return s, nil
}
