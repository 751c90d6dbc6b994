package series

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// header is the first line a CSV may have.
const header = "timestamp,value"

// ReadCSV reads lines of timestamp,value: the timestamp in Unix seconds or
// RFC 3339, strictly ascending; the value a finite number. A step without an
// observation is a line that is not there. A header timestamp,value, empty
// lines and comments from # to the end of the line are skipped. An error names
// the line and the rule it breaks.
func ReadCSV(r io.Reader) ([]Sample, error) {
	var samples []Sample
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		line = strings.TrimSpace(line)
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if line == "" || len(samples) == 0 && strings.ReplaceAll(line, " ", "") == header {
			continue
		}
		s, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if k := len(samples); k > 0 && !s.At.After(samples[k-1].At) {
			return nil, fmt.Errorf("line %d: timestamp %s after %s: must ascend",
				n, s.At.Format(time.RFC3339), samples[k-1].At.Format(time.RFC3339))
		}
		samples = append(samples, s)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("a line of more than %d bytes: must be timestamp,value", maxLine)
	} else if err != nil {
		return nil, fmt.Errorf("reading CSV: %w", err)
	}
	return samples, nil
}

const maxLine = 4096

func parseLine(line string) (Sample, error) {
	fields := strings.Split(line, ",")
	if len(fields) != 2 {
		return Sample{}, fmt.Errorf("%d fields: must be timestamp,value", len(fields))
	}
	at, err := parseTime(strings.TrimSpace(fields[0]))
	if err != nil {
		return Sample{}, err
	}
	value, err := strconv.ParseFloat(strings.TrimSpace(fields[1]), 64)
	if err != nil || !Observed(value) {
		return Sample{}, fmt.Errorf("value %q: must be a finite number", strings.TrimSpace(fields[1]))
	}
	return Sample{At: at, Value: value}, nil
}

// lastSecond is the end of the year 9999, the last that RFC 3339 can write.
const lastSecond = 253402300799

func parseTime(text string) (time.Time, error) {
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		if seconds < 0 || seconds > lastSecond {
			return time.Time{}, fmt.Errorf("timestamp %s: must be seconds since 1970, before the year 10000", text)
		}
		return time.Unix(seconds, 0).UTC(), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.Unix() < 0 || at.Unix() > lastSecond {
		return time.Time{}, fmt.Errorf("timestamp %q: must be Unix seconds or RFC 3339, since 1970", text)
	}
	return at.UTC(), nil
}
