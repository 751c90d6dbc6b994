package engine_test

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/forecaster/models"
	"github.com/kedastral/kedastral/forecaster/models/catalog"
	"github.com/kedastral/kedastral/shared/env"
)

// A scenario file tells one story of the whole pipeline. Words after two or
// more spaces behind a line's last value are for the reader.
//
//	NAME   VxN V+SxN …        a day's shape: N values of V, or rising by S a minute
//	load   NAME xN …          the recorded days
//	noise  P%                 every minute is off by up to so much, the same each run
//	policy N per replica, quantile Q, min N, max N, lead D
//	model  NAME
//	max data age D
//	down   T to T             the source does not answer
//	at     T  replicas N [to M] | mode M | not ready | a restart answers the same
//	from   T to T  never below need
//
// Times count from the first midnight: 7d8h10m.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) < 5 {
		t.Fatalf("scenarios: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			s := parse(t, file)
			synctest.Test(t, s.play)
		})
	}
}

type scenario struct {
	shapes   map[string][]float64
	load     []float64 // one a minute
	noise    float64
	model    string
	lead     time.Duration
	workload engine.Workload
	maxAge   time.Duration
	down     [2]time.Duration
	claims   []claim
}

// claim is something to hold at an instant, or throughout.
type claim struct {
	line     string
	at, till time.Duration
	words    []string
}

func parse(t *testing.T, file string) *scenario {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := &scenario{shapes: map[string][]float64{}, maxAge: 15 * time.Minute, workload: workload("shop/web")}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if words := strings.Fields(line); len(words) > 0 {
			if err := s.read(line, words); err != nil {
				t.Fatalf("%s: %q: %v", file, line, err)
			}
		}
	}
	if len(s.load) == 0 || len(s.claims) == 0 || s.model == "" {
		t.Fatalf("%s: needs a load, a model and a claim", file)
	}
	return s
}

func (s *scenario) read(line string, words []string) (err error) {
	switch words[0] {
	case "load":
		for i := 1; i+1 < len(words); i += 2 {
			days, err := strconv.Atoi(strings.TrimPrefix(words[i+1], "x"))
			if err != nil || len(s.shapes[words[i]]) != 1440 {
				return fmt.Errorf("%s has %d minutes: %w", words[i], len(s.shapes[words[i]]), err)
			}
			for range days {
				s.load = append(s.load, s.shapes[words[i]]...)
			}
		}
	case "noise":
		s.noise, err = strconv.ParseFloat(strings.TrimSuffix(words[1], "%"), 64)
		s.noise /= 100
	case "policy":
		return s.policy(strings.TrimPrefix(strings.TrimSpace(line), "policy"))
	case "model":
		s.model = words[1]
	case "max":
		s.maxAge, err = env.ParseDuration(words[3])
	case "down":
		s.down, err = span(words[1], words[3])
	case "at", "from":
		c := claim{line: strings.TrimSpace(line), words: words[2:]}
		till := words[1]
		if words[0] == "from" {
			till, c.words = words[3], words[4:]
		}
		var both [2]time.Duration
		both, err = span(words[1], till)
		c.at, c.till = both[0], both[1]
		if n := len(s.claims); n > 0 && c.at < s.claims[n-1].till {
			return fmt.Errorf("comes after %q: claims must be in the order of time", s.claims[n-1].line)
		}
		s.claims = append(s.claims, c)
	default:
		s.shapes[words[0]], err = shape(words[1:])
	}
	return err
}

func span(from, to string) (both [2]time.Duration, err error) {
	if both[0], err = env.ParseDuration(from); err == nil {
		both[1], err = env.ParseDuration(to)
	}
	return both, err
}

// shape reads 100x480 and 100+5x60 until a word that is neither.
func shape(words []string) (values []float64, err error) {
	for _, word := range words {
		value, times, ok := strings.Cut(word, "x")
		n, bad := strconv.Atoi(times)
		if !ok || bad != nil {
			break
		}
		base, slope, _ := strings.Cut(value, "+")
		v, err := strconv.ParseFloat(base, 64)
		if err != nil {
			return nil, err
		}
		rise, _ := strconv.ParseFloat(slope, 64) // none is no rise
		for i := range n {
			values = append(values, v+rise*float64(i))
		}
	}
	return values, nil
}

func (s *scenario) policy(text string) (err error) {
	p := &s.workload.Rules.Policy
	for part := range strings.SplitSeq(text, ",") {
		words := strings.Fields(part)
		switch {
		case words[1] == "per":
			p.TargetPerPod, err = strconv.ParseFloat(words[0], 64)
		case words[0] == "quantile":
			p.Quantile, err = strconv.ParseFloat(words[1], 64)
		case words[0] == "headroom":
			p.Headroom, err = strconv.ParseFloat(words[1], 64)
		case words[0] == "min":
			p.MinReplicas, err = strconv.Atoi(words[1])
		case words[0] == "max":
			p.MaxReplicas, err = strconv.Atoi(words[1])
		case words[0] == "lead":
			s.lead, err = env.ParseDuration(words[1])
		default:
			err = fmt.Errorf("%q: no such setting", part)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// value is the load of the minute that starts at t; the bubble's clock begins
// at a midnight. The noise is a hash of the minute.
func (s *scenario) value(first, t time.Time) float64 {
	minute := int(t.Sub(first) / time.Minute)
	if minute < 0 || minute >= len(s.load) {
		return math.NaN()
	}
	hash := math.Sin(float64(minute)*12.9898) * 43758.5453
	return s.load[minute] * (1 + s.noise*(2*(hash-math.Floor(hash))-1))
}

func (s *scenario) play(t *testing.T) {
	first := time.Now().UTC()
	fake := &source{step: time.Minute, load: func(at time.Time) float64 { return s.value(first, at) }}
	w := s.workload
	w.Source, w.Window, w.Horizon, w.TrainInterval = fake, 4*24*time.Hour, time.Hour, 15*time.Minute
	w.NewModel = func() (models.Model, error) {
		return catalog.New(s.model, models.Options{Levels: []float64{0.1, 0.5, 0.9}})
	}
	o := options()
	o.MaxDataAge = s.maxAge
	time.Sleep(s.claims[0].at - time.Minute)
	e := begin(t, o, w)
	for _, c := range s.claims {
		for at := c.at; at <= c.till; at += time.Minute {
			s.until(first, at, fake)
			s.check(t, e, c, at, func() *engine.Engine { return begin(t, fresh(o), w) })
		}
	}
}

// until lets time pass to the middle of the minute after the tick for at,
// cutting the source off and on as told.
func (s *scenario) until(first time.Time, at time.Duration, fake *source) {
	for _, edge := range s.down {
		if to := first.Add(edge); edge > 0 && time.Now().Before(to) && edge <= at {
			pass(time.Until(to))
		}
		if edge > 0 {
			now := time.Since(first)
			var err error
			if now >= s.down[0] && now < s.down[1] {
				err = errOutage
			}
			fake.fail(err)
		}
	}
	if to := first.Add(at + 30*time.Second); time.Now().Before(to) {
		pass(time.Until(to))
	}
}
