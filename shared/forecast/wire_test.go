package forecast_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kedastral/kedastral/shared/clock/clocktest"
	"github.com/kedastral/kedastral/shared/forecast"
)

func encode(t testing.TB, s forecast.Snapshot) []byte {
	t.Helper()
	body, err := forecast.Encode(s)
	if err != nil {
		t.Fatalf("Encode = %v", err)
	}
	return body
}

// Any snapshot that keeps the rules comes back as it was sent, whatever the
// zone its times were told in.
func TestRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		sent := some(random)
		got, err := forecast.Decode(bytes.NewReader(encode(t, sent)), forecast.MaxBytes)
		if err != nil {
			t.Fatalf("Decode of %+v = %v", sent, err)
		}
		if diff := cmp.Diff(sent, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("round trip: -sent +received\n%s", diff)
		}
		if got.GeneratedAt.Location() != time.UTC {
			t.Fatalf("GeneratedAt is told in %v; want UTC", got.GeneratedAt.Location())
		}
	}
}

// some is a snapshot of any shape that keeps the rules.
func some(random *rand.Rand) forecast.Snapshot {
	s, n := good(), 1+random.IntN(50)
	zone := time.FixedZone("", random.IntN(20)*1800)
	s.StepSeconds = 1 + random.IntN(3600)
	s.HorizonSeconds = n * s.StepSeconds
	s.GeneratedAt = time.Unix(int64(s.StepSeconds)*(1+random.Int64N(1e6)), 0).In(zone)
	s.Values, s.DesiredReplicas, s.ForecastPlan = nil, nil, nil
	s.Quantiles = []forecast.Quantile{{Level: 0.25}, {Level: 0.75}}
	for range n {
		v := (random.Float64() - 0.3) * math.Pow10(random.IntN(300)-150)
		s.Values = append(s.Values, v)
		s.DesiredReplicas = append(s.DesiredReplicas, int(random.Int32()))
		s.Quantiles[0].Values = append(s.Quantiles[0].Values, v-random.Float64())
		s.Quantiles[1].Values = append(s.Quantiles[1].Values, v+random.Float64())
	}
	if random.IntN(2) == 0 {
		s.Observed, s.Skill, s.Quantiles = nil, nil, nil
	}
	return s
}

func TestDecodeRefusesBadReplies(t *testing.T) {
	doc := string(encode(t, good()))
	replace := func(from, to string) string {
		t.Helper()
		if !strings.Contains(doc, from) {
			t.Fatalf("the document has no %s to replace: %s", from, doc)
		}
		return strings.Replace(doc, from, to, 1)
	}
	for _, tt := range []struct{ name, body, want string }{
		{"nothing", "", "not JSON"},
		{"garbage", "\x00\x01\xff", "not JSON"},
		{"a page of a proxy", "<html>502 Bad Gateway</html>", "not JSON"},
		{"null", "null", "workload"},
		{"a list", "[" + doc + "]", "not JSON"},
		{"an empty object", "{}", "workload"},
		{"truncated", doc[:len(doc)/2], "not JSON"},
		{"trailing data", doc + "{}", "not JSON"},
		{"two documents", doc + "\n" + doc, "not JSON"},
		{"oversized", doc + strings.Repeat(" ", forecast.MaxBytes), "larger than"},
		{"empty arrays", replace(`"values":[10,20.5,0]`, `"values":[]`), "values: has 0 elements"},
		{"no values", replace(`"values":[10,20.5,0],`, ``), "values: has 0 elements"},
		{"values of null", replace(`"values":[10,20.5,0]`, `"values":null`), "values: has 0 elements"},
		{"step 0", replace(`"stepSeconds":60`, `"stepSeconds":0`), "stepSeconds=0"},
		{"negative step", replace(`"stepSeconds":60`, `"stepSeconds":-60`), "stepSeconds=-60"},
		{"a step that is no integer", replace(`"stepSeconds":60`, `"stepSeconds":60.5`), "stepSeconds"},
		{"a step beyond int", replace(`"stepSeconds":60`, `"stepSeconds":99999999999999999999`), "stepSeconds"},
		{"horizon mismatch", replace(`"horizonSeconds":180`, `"horizonSeconds":3600`), "horizonSeconds=3600"},
		{"lengths disagree", replace(`"values":[10,20.5,0]`, `"values":[10,20.5]`), "horizonSeconds=180"},
		{"fewer counts", replace(`"desiredReplicas":[1,2,0]`, `"desiredReplicas":[1,2]`), "desiredReplicas: has 2"},
		{"no counts", replace(`"desiredReplicas":[1,2,0],`, ``), "desiredReplicas: has 0"},
		{"NaN literal", replace(`"values":[10,`, `"values":[NaN,`), "not JSON"},
		{"NaN in quotes", replace(`"values":[10,`, `"values":["NaN",`), "not JSON"},
		{"Infinity literal", replace(`"values":[10,`, `"values":[Infinity,`), "not JSON"},
		{"a number beyond float64", replace(`"values":[10,`, `"values":[1e999,`), "values"},
		{"null for a value", replace(`"values":[10,`, `"values":[null,`), "values[0]=null"},
		{"null for a count", replace(`"desiredReplicas":[1,`, `"desiredReplicas":[null,`), "desiredReplicas[0]=null"},
		{"null for a planned count", replace(`"forecastPlan":[2,`, `"forecastPlan":[null,`), "forecastPlan[0]=null"},
		{"null in a quantile", replace(`"values":[8,`, `"values":[null,`), "quantiles[0].values[0]=null"},
		{"null for the observation", replace(`"value":9.5`, `"value":null`), "observed.value"},
		{"null over a value", replace(`"values":[10,20.5,0]`, `"values":[10,20.5,0],"values":[null,null,null]`), "values[0]=null"},
		{"a count of 1.5", replace(`"desiredReplicas":[1,`, `"desiredReplicas":[1.5,`), "desiredReplicas"},
		{"a negative count", replace(`"desiredReplicas":[1,`, `"desiredReplicas":[-1,`), "desiredReplicas[0]=-1"},
		{"a count beyond int32", replace(`"desiredReplicas":[1,`, `"desiredReplicas":[3000000000,`), "desiredReplicas[0]=3000000000"},
		{"no time", replace(`"generatedAt":"2026-03-29T01:00:00Z",`, ``), "generatedAt"},
		{"a time that is none", replace(`2026-03-29T01:00:00Z`, `2026-02-30T01:00:00Z`), "not JSON"},
		{"a hostile name", replace(`shop/checkout`, `../\u001b[31m`), `workload: malformed workload name: "../\x1b[31m"`},
		{"an unknown mode", replace(`"shadow"`, `"yolo"`), `mode="yolo"`},
		{"deep nesting", strings.Repeat(`{"x":`, 100_000), "not JSON"},
	} {
		got, err := forecast.Decode(strings.NewReader(tt.body), forecast.MaxBytes)
		if !errors.Is(err, forecast.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Decode = %v; want an ErrInvalid with %q", tt.name, err, tt.want)
		}
		if diff := cmp.Diff(forecast.Snapshot{}, got); diff != "" {
			t.Errorf("%s: Decode returns more than an error:\n%s", tt.name, diff)
		}
	}
}

func TestDecodeReadsNoMoreThanItMay(t *testing.T) {
	endless := &counting{}
	if _, err := forecast.Decode(endless, 1000); !errors.Is(err, forecast.ErrInvalid) || endless.read > 1001 {
		t.Errorf("Decode of endless input = %v after %d bytes; want ErrInvalid after 1001", err, endless.read)
	}
	body := encode(t, good())
	if _, err := forecast.Decode(bytes.NewReader(body), len(body)); err != nil {
		t.Errorf("Decode of exactly the limit = %v", err)
	}
}

// counting is input without end.
type counting struct{ read int }

func (c *counting) Read(p []byte) (int, error) {
	clear(p)
	c.read += len(p)
	return len(p), nil
}

// TestLargestDocument: what has as many numbers as allowed, each as long as one
// can be written, is not too large to be read.
func TestLargestDocument(t *testing.T) {
	const widest = -1.2345678901234567e-6 // -0.0000012345678901234567
	for _, levels := range []int{12, forecast.MaxLevels} {
		s := long(min(forecast.MaxSteps, forecast.MaxNumbers/(levels+1)))
		for i := range s.Values {
			s.Values[i], s.DesiredReplicas[i] = widest, math.MaxInt32
		}
		s.ForecastPlan = s.DesiredReplicas
		for i := range levels {
			s.Quantiles = append(s.Quantiles, forecast.Quantile{Level: float64(i+1) / 100, Values: s.Values})
		}
		body := encode(t, s)
		if _, err := forecast.Decode(bytes.NewReader(body), forecast.MaxBytes); err != nil {
			t.Errorf("%d steps of %d quantiles, %d bytes: %v", len(s.Values), levels, len(body), err)
		}
	}
}

func TestDecodeTellsAFailedReadFromABadDocument(t *testing.T) {
	body := encode(t, good())
	_, err := forecast.Decode(io.MultiReader(bytes.NewReader(body[:40]), iotest.ErrReader(io.ErrUnexpectedEOF)), forecast.MaxBytes)
	if !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, forecast.ErrInvalid) {
		t.Errorf("Decode of a broken connection = %v; want its error", err)
	}
}

func TestDecodePassesOverFieldsOfTheFuture(t *testing.T) {
	doc := strings.Replace(string(encode(t, good())), "{", `{"version":2,"extra":{"a":[null]},`, 1)
	got, err := forecast.Decode(strings.NewReader(doc), forecast.MaxBytes)
	if diff := cmp.Diff(good(), got); err != nil || diff != "" {
		t.Errorf("Decode = %v; -want +got\n%s", err, diff)
	}
}

func TestWhatAClientAddsStaysWithIt(t *testing.T) {
	s := good()
	s.Received, s.AgeAtReceipt = time.Now(), time.Minute
	if a, b := encode(t, s), encode(t, good()); !bytes.Equal(a, b) {
		t.Errorf("Encode = %s; want %s", a, b)
	}
}

func TestETagFollowsTheContents(t *testing.T) {
	a, b := good(), good()
	b.Values[0]++
	tag := forecast.ETag(encode(t, a))
	if again := forecast.ETag(encode(t, good())); tag != again {
		t.Errorf("ETag of the same forecast = %s, then %s", tag, again)
	}
	if other := forecast.ETag(encode(t, b)); tag == other {
		t.Errorf("ETag of two forecasts = %s", tag)
	}
	if len(tag) < 3 || tag[0] != '"' || tag[len(tag)-1] != '"' || strings.ContainsAny(tag[1:len(tag)-1], "\" \\") {
		t.Errorf("ETag = %s; want a quoted token", tag)
	}
}

func TestAgeSurvivesSkewAndSetClocks(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 10, 0, 0, time.UTC)
	s := forecast.Snapshot{GeneratedAt: now.Add(-time.Minute)}
	for _, tt := range []struct {
		s    forecast.Snapshot
		now  time.Time
		want time.Duration
	}{
		{s, now, time.Minute},
		{s, now.Add(-time.Hour), 0}, // from the future
		{received(s, now, 20*time.Second), now.Add(5 * time.Second), 25 * time.Second},
		{received(s, now.Add(-48*time.Hour), 20*time.Second), now.Add(-48 * time.Hour), 20 * time.Second}, // two days of skew
		{received(s, now, 20*time.Second), now.Add(-time.Hour), 20 * time.Second},                         // clock set back
		{received(s, now, 20*time.Second), now.Add(time.Hour), time.Hour + 20*time.Second},                // machine suspended
	} {
		if got := tt.s.Age(tt.now); got != tt.want {
			t.Errorf("Age(%v) of %v received %v = %v; want %v", tt.now, tt.s.GeneratedAt, tt.s.Received, got, tt.want)
		}
	}
}

// By a clock that is set while the program runs, the age is never less than
// what has passed, and nothing received is from before it was generated.
func TestAgeByAClockThatIsSet(t *testing.T) {
	at := time.Now()
	s := received(forecast.Snapshot{GeneratedAt: at.Round(0).Add(-time.Minute)}, at, time.Minute)
	later := at.Add(30 * time.Second)
	for _, tt := range []struct {
		what string
		now  time.Time
		want time.Duration
	}{
		{"not set", later, 90 * time.Second},
		{"set back an hour", clocktest.Shift(later, -time.Hour), 90 * time.Second},
		{"set forward an hour, or suspended for one", clocktest.Shift(later, time.Hour), time.Hour + 90*time.Second},
		{"an old reading", at.Add(-time.Second), time.Minute},
	} {
		if got := s.Age(tt.now); got != tt.want {
			t.Errorf("%s: Age = %v; want %v", tt.what, got, tt.want)
		}
	}
	future := forecast.Snapshot{GeneratedAt: at.Round(0).Add(time.Hour)}
	if got := future.Age(at); got != 0 {
		t.Errorf("Age of a snapshot from the future = %v; want 0", got)
	}
	if got := received(future, at, 0).Age(later); got != 30*time.Second {
		t.Errorf("Age of one from the future, 30s after it came = %v; want 30s", got)
	}
}

func TestOverdue(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 10, 0, 0, time.UTC)
	s := forecast.Snapshot{GeneratedAt: now.Add(-2 * time.Minute), IntervalSeconds: 60}
	slow := s
	slow.DelaySeconds = 75
	for _, tt := range []struct {
		s    forecast.Snapshot
		now  time.Time
		want bool
	}{
		{s, now.Add(-1), false},
		{s, now, true},
		{received(s, now, 10*time.Second), now.Add(109 * time.Second), false}, // by its age, not its date
		{received(s, now, 10*time.Second), now.Add(110 * time.Second), true},
		{slow, now.Add(75*time.Second - 1), false}, // nor by what it takes to publish one
		{slow, now.Add(75 * time.Second), true},
	} {
		if got := tt.s.Overdue(tt.now); got != tt.want {
			t.Errorf("Overdue(%v) at an age of %v = %t; want %t", tt.now, tt.s.Age(tt.now), got, tt.want)
		}
	}
}

func TestReplaces(t *testing.T) {
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	at := func(generated, taken time.Time) forecast.Snapshot {
		return forecast.Snapshot{GeneratedAt: generated, Received: taken}
	}
	never := time.Time{}
	for _, tt := range []struct {
		what      string
		s, held   forecast.Snapshot
		replaceIt bool
	}{
		{"newer", at(noon, never), at(noon.Add(-time.Minute), never), true},
		{"the same again", at(noon, never), at(noon, never), true},
		{"older", at(noon.Add(-time.Minute), never), at(noon, never), false},
		{"older, taken in after both", at(noon.Add(-time.Minute), noon), at(noon, noon), false},
		{"held from the future: the clock was set back", at(noon.Add(-time.Hour), noon.Add(-time.Hour)), at(noon, noon), true},
	} {
		if got := tt.s.Replaces(tt.held); got != tt.replaceIt {
			t.Errorf("%s: Replaces = %t; want %t", tt.what, got, tt.replaceIt)
		}
	}
}

func received(s forecast.Snapshot, at time.Time, age time.Duration) forecast.Snapshot {
	s.Received, s.AgeAtReceipt = at, age
	return s
}

// Whatever decodes is safe to act on, and is the same after being sent on.
func FuzzDecode(f *testing.F) {
	f.Add(encode(f, good()))
	f.Add(encode(f, long(3)))
	f.Add([]byte(`{"values":[null],"quantiles":[{"level":0.5,"values":[NaN]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := forecast.Decode(bytes.NewReader(body), 1<<16)
		if err != nil {
			if !errors.Is(err, forecast.ErrInvalid) {
				t.Fatalf("Decode = %v; want ErrInvalid", err)
			}
			return
		}
		if len(s.Values) == 0 || len(s.Values) != len(s.DesiredReplicas) || s.Step() <= 0 || s.Interval() <= 0 {
			t.Fatalf("Decode accepts %+v", s)
		}
		for i, v := range s.Values {
			if math.IsNaN(v) || math.IsInf(v, 0) || s.DesiredReplicas[i] < 0 {
				t.Fatalf("Decode accepts %v, %d", v, s.DesiredReplicas[i])
			}
		}
		sent := encode(t, s)
		again, err := forecast.Decode(bytes.NewReader(sent), forecast.MaxBytes)
		if diff := cmp.Diff(s, again, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Fatalf("sent on: %v\n%s", err, diff)
		}
		if resent := encode(t, again); !bytes.Equal(sent, resent) {
			t.Fatalf("sent on as %s, then as %s", sent, resent)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	body := encode(b, long(1440))
	for b.Loop() {
		if _, err := forecast.Decode(bytes.NewReader(body), forecast.MaxBytes); err != nil {
			b.Fatal(err)
		}
	}
}
