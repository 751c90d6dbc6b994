package main

import (
	"fmt"
	"math"
	"os"
	"strings"
	"time"
)

// screen prints a row every half hour of the day and, on a terminal, a bar
// below them.
type screen struct {
	out      *os.File
	terminal bool
	rows     int
}

// row is one line of the table.
type row struct {
	at                         time.Time
	load, forecast             float64
	told                       float64
	predictiveReady, predicted int
	reactiveReady, reactive    int
}

const rowsADay = 48

func newScreen(out *os.File) *screen {
	info, err := out.Stat()
	s := &screen{out: out, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
	fmt.Fprintf(out, "\n%5s  %9s  %12s  %10s  %22s  %22s\n", "time", "load/min", "p95 in lead", "KEDA told", "Kedastral pods (ready)", "reactive pods (ready)")
	return s
}

// progress prints what is due when a share of the day has gone by.
func (s *screen) progress(share float64, next func() row) {
	if due := int(share * rowsADay); due >= s.rows {
		s.rows = due + 1
		r := next()
		s.clear()
		fmt.Fprintf(s.out, "%5s  %9s  %12s  %10s  %15d %6s  %15d %6s\n", r.at.Format("15:04"), known(r.load), known(r.forecast), known(r.told),
			r.predicted, fmt.Sprintf("(%d)", r.predictiveReady), r.reactive, fmt.Sprintf("(%d)", r.reactiveReady))
	}
	if s.terminal {
		const width = 40
		full := int(share * width)
		fmt.Fprintf(s.out, "\r[%s%s] %3.0f %%", strings.Repeat("█", full), strings.Repeat("·", width-full), share*100)
	}
}

// known prints a number that may not be there.
func known(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.0f", v)
}

func (s *screen) clear() {
	if s.terminal {
		fmt.Fprint(s.out, "\r\033[K")
	}
}

func (s *screen) done() { s.clear() }
