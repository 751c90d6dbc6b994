package series_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/kedastral/kedastral/forecaster/series"
)

func TestReadCSV(t *testing.T) {
	const text = "\ufeff# load of a shop\ntimestamp,value\r\n0,1.5\n\n 60 , 2e3 # a busy minute\n1970-01-01T01:02:00+01:00,-3\n"
	got, err := series.ReadCSV(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "ReadCSV", got, []series.Sample{{at(0), 1.5}, {at(60), 2000}, {at(120), -3}})
}

func TestReadCSVRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"0,1\n0,2":                           "line 2: timestamp 1970-01-01T00:00:00Z after 1970-01-01T00:00:00Z: must ascend",
		"60,1\n0,2":                          "line 2: timestamp 1970-01-01T00:00:00Z after 1970-01-01T00:01:00Z: must ascend",
		"time,load\n0,2":                     `line 1: timestamp "time": must be Unix seconds or RFC 3339, since 1970`,
		"0,1\ntimestamp,value":               `line 2: timestamp "timestamp": must be Unix seconds or RFC 3339, since 1970`,
		"0":                                  "line 1: 1 fields: must be timestamp,value",
		"0,1,2":                              "line 1: 3 fields: must be timestamp,value",
		"0,NaN":                              `line 1: value "NaN": must be a finite number`,
		"0,1e999":                            `line 1: value "1e999": must be a finite number`,
		"0,":                                 `line 1: value "": must be a finite number`,
		"-60,1":                              "line 1: timestamp -60: must be seconds since 1970, before the year 10000",
		"1700000000000,1":                    "line 1: timestamp 1700000000000: must be seconds since 1970, before the year 10000",
		"0,1\n" + strings.Repeat("9", 10000): "a line of more than 4096 bytes: must be timestamp,value",
	} {
		if _, err := series.ReadCSV(strings.NewReader(text)); err == nil || err.Error() != want {
			t.Errorf("ReadCSV(%.40q): %v; want %s", text, err, want)
		}
	}
	broken := errors.New("disk on fire")
	if _, err := series.ReadCSV(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("ReadCSV of a broken reader: %v", err)
	}
}

// Whatever the bytes, reading ends without a panic; what is read ascends, is
// finite, and reads the same after being written.
func FuzzReadCSV(f *testing.F) {
	for _, seed := range []string{"", "timestamp,value\n0,1\n60,2\n", "1995-07-01T00:00:00Z,3\n", "0,1\n0,1", "a,b", "0,-0x1p-2\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		samples, err := series.ReadCSV(strings.NewReader(text))
		if err != nil {
			return
		}
		var again strings.Builder
		for i, s := range samples {
			if !series.Observed(s.Value) || i > 0 && !s.At.After(samples[i-1].At) {
				t.Fatalf("sample %d is %v", i, s)
			}
			if s.At.Nanosecond() == 0 {
				fmt.Fprintf(&again, "%d,%v\n", s.At.Unix(), s.Value)
			} else {
				fmt.Fprintf(&again, "%s,%v\n", s.At.Format("2006-01-02T15:04:05.999999999Z07:00"), s.Value)
			}
		}
		reread, err := series.ReadCSV(strings.NewReader(again.String()))
		if err != nil {
			t.Fatalf("reading what was written: %v", err)
		}
		equal(t, "reread", reread, samples)
	})
}
