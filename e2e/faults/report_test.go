package faults_test

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// invariant is what holds whatever is broken.
type invariant string

// The invariants, as the report calls them.
const (
	told      invariant = "told"      // every answer is what the newest valid forecast says of now
	ignorance invariant = "ignorance" // while that is not fresh, no answer is below the last, and none is an error before it must be
	number    invariant = "number"    // one finite whole number, of a target of 1
	forward   invariant = "forward"   // a workload's forecast is never followed by an older one
	stale     invariant = "stale"     // beyond STALE_AFTER or the horizon there is an error or the fallback, with its reason, a count and a log line
	budget    invariant = "budget"    // calls are answered within 250 ms, pages within 2 s
	constant  invariant = "constant"  // GetMetricSpec always answers, and always the same
	bounded   invariant = "bounded"   // goroutines, descriptors and heap are back to where they were within 30 s
	apart     invariant = "apart"     // another namespace is refused, and told nothing
	discreet  invariant = "discreet"  // no secret, query or metadata in any log or answer
	series    invariant = "series"    // the number of metric series does not grow with what is asked
	heals     invariant = "heals"     // all is well again by itself, in time
	busy      invariant = "busy"      // at least 100 calls a second were answered meanwhile, or nothing is proved
	expected  invariant = "expected"  // what this fault in particular has to look like
)

func invariants() []invariant {
	return []invariant{told, ignorance, number, forward, stale, budget, constant, bounded, apart, discreet, series, heals, busy, expected}
}

// finding is one row of the report.
type finding struct {
	ID       string               `json:"id"`
	Fault    string               `json:"fault"`
	Made     string               `json:"made"` // how
	Verdict  string               `json:"verdict"`
	Checked  map[invariant]string `json:"invariants"` // ok, or what broke it
	Rate     float64              `json:"callsPerSecond,omitempty"`
	P99      float64              `json:"p99Milliseconds,omitempty"`
	Own      float64              `json:"ownP99Milliseconds,omitempty"` // without what the machine took
	Slowest  float64              `json:"slowestMilliseconds,omitempty"`
	Calls    int                  `json:"calls,omitempty"`
	Errors   int                  `json:"errors,omitempty"` // answers that were errors, as they should be
	Recovery float64              `json:"recoverySeconds,omitempty"`
	Allowed  float64              `json:"recoveryAllowedSeconds,omitempty"`
	Seconds  float64              `json:"seconds"`
	Remarks  []string             `json:"remarks,omitempty"`
	mu       sync.Mutex
	began    time.Time
}

func (f *finding) ok(which ...invariant) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range which {
		if f.Checked[i] == "" {
			f.Checked[i] = "ok"
		}
	}
}

// broke notes the first break of an invariant and how many followed.
func (f *finding) broke(i invariant, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if was := f.Checked[i]; was == "" || was == "ok" {
		f.Checked[i] = fmt.Sprintf(format, args...)
	} else if len(f.Remarks) < 12 {
		f.Remarks = append(f.Remarks, string(i)+": "+fmt.Sprintf(format, args...))
	}
	f.Verdict = "BROKEN"
}

func (f *finding) remark(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Remarks = append(f.Remarks, fmt.Sprintf(format, args...))
}

// report is all that was found.
type report struct {
	mu       sync.Mutex
	answers  *csv.Writer // of every count told, if FAULTS_ANSWERS names a file
	began    time.Time
	Findings []*finding `json:"rows"`
	Figures  []string   `json:"figures"`
	Seconds  float64    `json:"seconds"`
}

func (r *report) add(f *finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Findings = append(r.Findings, f)
}

// record begins the log of answers, and ends it.
func (r *report) record(path string) (end func() error, err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	r.answers = csv.NewWriter(f)
	_ = r.answers.Write([]string{"time", "row", "workload", "milliseconds", "replicas", "error"}) // Flush tells
	return func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.answers.Flush()
		return errors.Join(r.answers.Error(), f.Close())
	}, nil
}

// answered notes one count that was told, or why there was none.
func (r *report) answered(f *finding, workload string, from, to time.Time, value float64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answers == nil {
		return
	}
	replicas, why := strconv.FormatFloat(value, 'f', -1, 64), ""
	if err != nil {
		replicas, why = "", err.Error()
	}
	_ = r.answers.Write([]string{to.Format(time.RFC3339Nano), f.ID, workload, strconv.FormatFloat(ms(to.Sub(from)), 'f', 1, 64), replicas, why})
}

func (r *report) figure(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Figures = append(r.Figures, fmt.Sprintf(format, args...))
}

// owed are the rows that the suite owes: of the source, the forecaster, the
// shared store, the scaler, the clocks, and high availability.
func owed() (all []string) {
	for _, part := range []struct {
		letter string
		rows   int
	}{{"M", 22}, {"F", 14}, {"R", 7}, {"S", 16}, {"T", 5}, {"H", 2}} {
		for i := range part.rows {
			all = append(all, part.letter+strconv.Itoa(i+1))
		}
	}
	return all
}

// missing are those of which there is no finding.
func (r *report) missing() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := map[string]bool{}
	for _, f := range r.Findings {
		found[regexp.MustCompile(`^[A-Z]\d+`).FindString(f.ID)] = true
	}
	return slices.DeleteFunc(owed(), func(id string) bool { return found[id] })
}

// write prints the report as a table, and leaves it as JSON in the file that
// FAULTS_REPORT names.
func (r *report) write(w io.Writer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Seconds = time.Since(r.began).Seconds()
	slices.SortFunc(r.Findings, func(a, b *finding) int { return cmp.Compare(natural(a.ID), natural(b.ID)) })
	r.table(w)
	path := os.Getenv("FAULTS_REPORT")
	if path == "" {
		return nil
	}
	body, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "the same as JSON:", path)
	return os.WriteFile(path, body, 0o600)
}

// natural has 2 before 10.
func natural(id string) string {
	head := strings.TrimRight(id, "0123456789abcdefghijklmnopqrstuvwxyz")
	return fmt.Sprintf("%s%08s", head, id[len(head):])
}

func (r *report) table(w io.Writer) {
	fmt.Fprintf(w, "%-5s %-58s", "", "columns: "+strings.Join(names(), " "))
	fmt.Fprintf(w, "\n%-5s %-58s %s %6s %7s %7s %7s %9s  %s\n", "row", "fault", head(), "call/s", "p99 ms", "own ms", "max ms", "recovery", "verdict")
	broken := 0
	for _, f := range r.Findings {
		var cells strings.Builder
		for _, i := range invariants() {
			cells.WriteString(mark(f.Checked[i]) + " ")
		}
		recovery := ""
		if f.Allowed > 0 {
			recovery = fmt.Sprintf("%.1f≤%.0f s", f.Recovery, f.Allowed)
		}
		fmt.Fprintf(w, "%-5s %-58.58s %s%6.0f %7.1f %7.1f %7.0f %9s  %s\n", f.ID, f.Fault, cells.String(), f.Rate, f.P99, f.Own, f.Slowest, recovery, f.Verdict)
		if f.Verdict == "BROKEN" {
			broken++
			for _, i := range invariants() {
				if c := f.Checked[i]; c != "" && c != "ok" {
					fmt.Fprintf(w, "      %s: %s\n", i, c)
				}
			}
		}
		if f.Verdict != "ok" && f.Verdict != "proven" {
			for _, remark := range f.Remarks {
				fmt.Fprintf(w, "      %s\n", remark)
			}
		}
	}
	for _, figure := range r.Figures {
		fmt.Fprintln(w, figure)
	}
	fmt.Fprintf(w, "%d rows, %d broken, %.0f s\n", len(r.Findings), broken, r.Seconds)
}

func names() (all []string) {
	for _, i := range invariants() {
		all = append(all, string(i))
	}
	return all
}

// head is the first letter of each.
func head() string {
	var line []string
	for _, name := range names() {
		line = append(line, name[:1])
	}
	return strings.Join(line, " ")
}

func mark(checked string) string {
	switch checked {
	case "":
		return "·"
	case "ok":
		return "+"
	}
	return "X"
}
