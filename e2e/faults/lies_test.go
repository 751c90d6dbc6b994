package faults_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/forecast"
)

// wrong is a count that no true plan of the suite asks for.
const wrong = 77

// forged is the forecast that is due, of wrong counts, changed further. If it
// is taken the next answer gives it away.
func forged(workload string, change func(doc map[string]any)) answer {
	s := sketch(workload, time.Now().Truncate(every))
	for i := range s.DesiredReplicas {
		s.DesiredReplicas[i] = wrong
	}
	body, _ := json.Marshal(s)
	var doc map[string]any
	_ = json.Unmarshal(body, &doc)
	change(doc)
	body, _ = json.Marshal(doc)
	return answer{http.StatusOK, http.Header{"Etag": {forecast.ETag(body)}, "Age": {"0"}}, body}
}

// forge answers with a forgery, unremembered: nothing may be made from it.
func forge(change func(doc map[string]any)) lie {
	return func(w http.ResponseWriter, r *http.Request, _ func() answer) {
		plain(w, forged(r.FormValue("workload"), change))
	}
}

// text forges by changing the text of the document.
func text(change func(doc []byte) []byte) lie {
	return func(w http.ResponseWriter, r *http.Request, _ func() answer) {
		a := forged(r.FormValue("workload"), func(map[string]any) {})
		a.body = change(a.body)
		plain(w, a)
	}
}

// refuse answers with a status, a body, and headers in pairs.
func refuse(code int, body string, header ...string) lie {
	return func(w http.ResponseWriter, _ *http.Request, _ func() answer) {
		h := http.Header{}
		for i := 0; i+1 < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		plain(w, answer{code, h, []byte(body)})
	}
}

func plain(w http.ResponseWriter, a answer) {
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.code)
	_, _ = w.Write(a.body)
}

// endless is a document behind 48 MiB of blanks.
func endless(w http.ResponseWriter, r *http.Request, _ func() answer) {
	a := forged(r.FormValue("workload"), func(map[string]any) {})
	blank := bytes.Repeat([]byte(" "), 64<<10)
	for range 48 << 4 {
		if _, err := w.Write(blank); err != nil {
			return
		}
	}
	_, _ = w.Write(a.body)
}

// hang does not answer until the asker has gone.
func hang(_ http.ResponseWriter, r *http.Request, _ func() answer) { <-r.Context().Done() }

// breakOff ends every connection in the middle of the answer.
func breakOff(w http.ResponseWriter, r *http.Request, _ func() answer) {
	a := forged(r.FormValue("workload"), func(map[string]any) {})
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	_, _ = w.Write(a.body[:len(a.body)/2])
	panic(http.ErrAbortHandler)
}

func problem(code int) lie {
	body, _ := json.Marshal(forecast.NewProblem(code, "said the relay"))
	return refuse(code, string(body), "Content-Type", forecast.ProblemType)
}

// A forecaster that answers anything but the forecast that was asked for
// changes nothing: what is held stands, the reason is counted, and the next
// good answer is taken.
func TestForecasterLies(t *testing.T) {
	all := falsehoods()
	const worlds = 3
	for part := range worlds {
		t.Run(strconv.Itoa(part), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, plan{})
			for i := part; i < len(all); i += worlds {
				w.lied(t, all[i])
			}
		})
	}
}

// falsehood is a lie, and the reason that it is counted under.
type falsehood struct {
	id, what, reason string
	lie              lie
}

func falsehoods() []falsehood {
	all := []falsehood{
		{"", "answers 500", "status", refuse(500, "oops")},
		{"", "does not know the workload", "not_found", problem(404)},
		{"", "is another server, which answers 404", "status", refuse(404, "<html>not found", "Content-Type", "text/html")},
		{"", "has no forecast yet", "not_ready", problem(503)},
		{"", "asks to be left alone", "throttled", refuse(429, "", "Retry-After", "1")},
		{"", "redirects", "redirect", refuse(302, "", "Location", "http://127.0.0.1:1/")},
		{"", "answers garbage", "invalid", text(func([]byte) []byte { return bytes.Repeat([]byte("\xff{"), 100) })},
		{"", "answers half a document", "invalid", text(func(b []byte) []byte { return b[:len(b)/2] })},
		{"", "breaks off in the middle", "unreachable", breakOff},
		{"", "answers without end", "invalid", endless},
		{"", "answers with null for numbers", "invalid", text(func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"desiredReplicas":[77`), []byte(`"desiredReplicas":[null`), 1)
		})},
		{"", "answers with numbers that are none", "invalid", text(func(b []byte) []byte { return bytes.Replace(b, []byte(`"values":[`), []byte(`"values":[NaN,`), 1) })},
		{"", "answers with numbers beyond all", "invalid", text(func(b []byte) []byte { return bytes.Replace(b, []byte(`"values":[`), []byte(`"values":[1e999,`), 1) })},
		{"", "nests without end", "invalid", text(func([]byte) []byte { return []byte(strings.Repeat(`{"values":[`, 100_000)) })},
		{"", "answers with an empty plan", "invalid", forge(func(d map[string]any) { d["values"], d["desiredReplicas"], d["horizonSeconds"] = []int{}, []int{}, 0 })},
		{"", "answers with a step of 0", "invalid", forge(func(d map[string]any) { d["stepSeconds"] = 0 })},
		{"", "answers with a step below 0", "invalid", forge(func(d map[string]any) { d["stepSeconds"] = -1 })},
		{"", "answers with lists of different lengths", "invalid", forge(func(d map[string]any) { d["values"] = []float64{1, 2} })},
		{"", "answers with a horizon of another length", "invalid", forge(func(d map[string]any) { d["horizonSeconds"] = 7 })},
		{"", "plans below 0", "invalid", forge(func(d map[string]any) { d["desiredReplicas"].([]any)[3] = -5 })},
		{"", "plans beyond all", "invalid", forge(func(d map[string]any) { d["desiredReplicas"].([]any)[0] = 1e12 })},
		{"", "answers for another workload", "invalid", forge(func(d map[string]any) { d["workload"] = "demo/other" })},
		{"", "answers for another namespace", "invalid", forge(func(d map[string]any) { d["workload"] = "elsewhere/w0" })},
	}
	for i := range all {
		all[i].id = "F4" + string(rune('a'+i))
		if strings.HasPrefix(all[i].what, "answers for another") {
			all[i].id = "F6" + string(rune('a'+i-21))
		}
	}
	return all
}

// lied is the row of one falsehood.
func (w *world) lied(t *testing.T, x falsehood) {
	t.Helper()
	counted := func() float64 {
		all, err := w.scalers[0].metrics(w.t.Context())
		if err != nil {
			return -1
		}
		return sum(all, "kedastral_scaler_fetch_errors_total", `reason="`+x.reason+`"`)
	}
	before := counted()
	w.row(t, fault{
		id: x.id, what: "the forecaster " + x.what, made: "in place of its answers",
		strike: func() { w.relays[0].tell(x.lie) }, mend: w.relays[0].honest,
		lasts: 2500 * time.Millisecond, heals: 8 * time.Second,
		during: func(f *finding) {
			if now := counted(); now <= before || before < 0 {
				f.broke(expected, "%v answers counted as %s; there were %v before", now, x.reason, before)
			}
			if size := w.scalers[0].resident("VmHWM"); size > 64<<20 {
				f.broke(bounded, "the scaler grew to %d MiB", size>>20)
			}
		},
	})
}

// A forecaster that goes on answering with its last forecast is judged by that
// forecast's age, and the plan by the clock: it rises every second, so that who
// reads it at another age than its own says too little.
func TestForecasterStuck(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{})
	relay := w.relays[0]
	frozen := func() lie {
		at := time.Now().Truncate(every)
		return func(w http.ResponseWriter, r *http.Request, _ func() answer) {
			began := time.Now()
			s := sketch(r.FormValue("workload"), at)
			for i := range s.DesiredReplicas {
				s.DesiredReplicas[i] = 5 + i
			}
			body, _ := forecast.Encode(s)
			age := strconv.Itoa(int(began.Sub(at) / time.Second))
			relay.send(w, answer{http.StatusOK, http.Header{"Etag": {forecast.ETag(body)}, "Age": {age}}, body}, began, 0)
		}
	}
	w.row(t, fault{
		id: "F5", what: "the forecaster answers, but with the same forecast for ever", made: "in place of its answers",
		strike: func() { relay.tell(frozen()) }, mend: relay.honest,
		lasts: staleAfter + 2*time.Second, becomes: "stale", heals: 5 * time.Second,
	})
	w.row(t, fault{
		id: "F3b", what: "the forecaster takes questions and does not answer", made: "in place of its answers",
		strike: func() { relay.tell(hang) }, mend: relay.honest,
		lasts: 5 * time.Second, becomes: "held", heals: 8 * time.Second,
	})
}

// Of two forecasters that do not agree the newer counts, however the answers
// alternate.
func TestForecastersDisagree(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{})
	relay := w.relays[0]
	w.row(t, fault{
		id: "F9", what: "two forecasters answer in turns, one an older forecast", made: "in place of its answers",
		strike: func() {
			relay.tell(func(rw http.ResponseWriter, r *http.Request, truth func() answer) {
				began, workload := time.Now(), r.FormValue("workload")
				if relay.questions(workload)%2 == 0 {
					r.Header.Del("If-None-Match")
					relay.send(rw, truth(), began, 0)
					return
				}
				s := sketch(workload, began.Truncate(every).Add(-2*every)) // older than any other of this second and the last
				for i := range s.DesiredReplicas {
					s.DesiredReplicas[i] = 1
				}
				body, _ := forecast.Encode(s)
				age := strconv.Itoa(int(began.Sub(s.GeneratedAt) / time.Second))
				relay.send(rw, answer{http.StatusOK, http.Header{"Age": {age}}, body}, began, 0)
			})
		},
		mend: relay.honest, lasts: 6 * time.Second, heals: 5 * time.Second,
		during: func(f *finding) {
			if all, err := w.scalers[0].metrics(w.t.Context()); err != nil || sum(all, "kedastral_scaler_cache_superseded_total") == 0 {
				f.broke(expected, "no older forecast was counted as passed over: %v", err)
			}
		},
	})
}
