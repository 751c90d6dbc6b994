package prom

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/series"
)

// inspect takes out of a frame what no load can be and says what looks wrong.
func (a *Adapter) inspect(frame *series.DataFrame) []adapters.Warning {
	var found []adapters.Warning
	warn := func(kind, format string, args ...any) {
		found = append(found, adapters.Warning{Kind: kind, Text: a.query.Metric + ": " + fmt.Sprintf(format, args...)})
	}
	promQL := code(a.query.PromQL)
	switch {
	case average.MatchString(promQL):
		warn(adapters.WarnAverage, "the query averages over series; a load per pod falls as pods are added, forecast the total: use sum(...)")
	case shared.MatchString(promQL):
		warn(adapters.WarnAverage, "the query divides by a number of pods; a load per pod falls as pods are added, forecast the total: leave the division out")
	case pods.MatchString(promQL) && !strings.Contains(promQL, "*"): // times a count makes the total of a load per pod
		warn(adapters.WarnReplicas, "the query counts pods, which follow the forecast made from them: forecast the load that the pods serve")
	}
	if !rated.MatchString(promQL) && (counterName.MatchString(promQL) || counting(frame.Values)) {
		warn(adapters.WarnCounter, "this looks like a counter, which only grows and starts over at a restart: use sum(rate(...))")
	}
	if n := floor(frame.Values); n > 0 {
		warn(adapters.WarnNegative, "%d of %d values are negative and were left out: a load must not be", n, frame.Len())
	}
	if s := a.skewed(); s > a.query.Step {
		warn(adapters.WarnClockSkew, "the clocks of Prometheus and of this forecaster are %v apart, more than a step of %v: synchronise them", s.Round(time.Second), a.query.Step)
	}
	return found
}

func (a *Adapter) skewed() time.Duration { return max(a.skew, -a.skew, a.ahead) }

// Parts of the patterns below: what may stand before an aggregate's or an
// operator's operand, and what numbers pods.
const (
	grouping = `\s*(?:(?:by|without)\s*\([^()]*\)\s*)?\(\s*`
	matching = `\s*(?:(?:on|ignoring)\s*\([^()]*\)\s*)?(?:group_(?:left|right)\s*(?:\([^()]*\))?\s*)?`
	counted  = `(?:kube_[a-z_]*replicas|(?:count|sum)` + grouping + `(?:up\b|kube_pod_|kube_[a-z_]*replicas))`
)

var (
	quoted      = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'|`[^`]*`|#[^\n]*")
	average     = regexp.MustCompile(`(?i)\bavg\s*(\(|by\b|without\b)`)
	shared      = regexp.MustCompile(`(?i)/` + matching + `(?:\(\s*|scalar\s*\(\s*)*(?:count\b|` + counted + `)`)
	pods        = regexp.MustCompile(`(?i)\b` + counted)
	rated       = regexp.MustCompile(`(?i)\b(i?rate|increase|i?delta|deriv|resets|changes|[a-z_]*(rate|increase|delta)[a-z_]*)\s*\(|:i?rate|:increase`)
	counterName = regexp.MustCompile(`_(total|count|sum|bucket)\b`)
)

// code is a query without its strings and comments.
func code(promQL string) string { return strings.TrimSpace(quoted.ReplaceAllString(promQL, " ")) }

// counting tells a raw counter by its values: over an hour of minutes
// it grew at most steps, and when it fell, rarely, it lost most.
func counting(values []float64) bool {
	const enough = 60
	grew, fell, n := 0, 0, 0
	last := math.NaN()
	for _, v := range values {
		if !series.Observed(v) {
			continue
		}
		switch {
		case v < 0:
			return false
		case v > last:
			grew++
		case v < last && v > last/2:
			return false // no restart loses only a part
		case v < last:
			fell++
		}
		last = v
		n++
	}
	return n >= enough && 2*grew > n && 20*fell < n
}

// floor turns negative values into gaps and counts them. What rounding leaves
// below zero is zero.
func floor(values []float64) int {
	const rounding = 1e-9
	largest, n := 0.0, 0
	for _, v := range values {
		if v > largest {
			largest = v
		}
	}
	for i, v := range values {
		switch {
		case v < 0 && v >= -rounding*largest:
			values[i] = 0
		case v < 0:
			values[i] = math.NaN()
			n++
		}
	}
	return n
}
