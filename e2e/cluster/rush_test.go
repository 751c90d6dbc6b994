//go:build e2e

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/kedastral/kedastral/e2e/cluster/plane"
)

// replay is one rush as several contenders met it: workloads under the same load,
// scaled in their own ways.
type replay struct {
	rush       time.Time // it begins here
	field      []contender
	rows       []row
	forecaster *service
	scaler     *service
}

type contender struct {
	what     string
	w        workload
	predicts bool
}

// row is what was seen at one instant: the load, and each contender.
type row struct {
	at   time.Time
	load float64
	need int
	now  []sight
}

// sight is one contender at one instant.
type sight struct {
	now
	forecast float64 // of the load one lead time later; NaN: not known
	told     int     // replicas that the scaler tells KEDA; -1: not known
}

// Replicas rise before the load does, by the lead time, and fall with it; the
// same pods under a reactive trigger alone come too late.
func TestRushIsMetBeforeItComes(t *testing.T) {
	t.Parallel()
	react := reactive(t, "shop/web", int(perPod))
	r := replay{field: []contender{
		{"predicted from yesterday", workload{Name: "yesterday"}, true},
		{"predicted by default", workload{Name: "web"}, true},
		{"reactive alone", workload{Name: "alone", Scaler: "none"}, false},
	}}
	r.open(t)
	for i, c := range r.field {
		c.w.Namespace, c.w.Triggers = "shop", react
		c.w.Replicas, c.w.Min, c.w.Max, c.w.Stabilize, c.w.ReadyAfter = here.day.need(time.Now()), 2, 60, 15, starts
		r.field[i].w = c.w.create(t)
	}
	r.settle(t)
	t.Log("as the rush is about to be seen: ", here.body(t, r.forecaster, "/workloads"))
	r.watch(t)
	r.show(t)
	r.plot(t)
	r.judge(t)
}

// open starts the forecaster and the scaler of the shop.
func (r *replay) open(t *testing.T) {
	t.Helper()
	var err error
	if r.forecaster, err = here.serve(t.Context(), "kedastral", "kedastral-forecaster"); err != nil {
		t.Fatal(err)
	}
	await(t, func(ctx context.Context) error {
		for _, p := range r.forecaster.pods {
			if err := plane.Healthy(ctx, r.forecaster.url(p)+"/readyz"); err != nil {
				return err
			}
		}
		return nil
	})
	if r.scaler, err = here.serve(t.Context(), "shop", "kedastral-scaler"); err != nil {
		t.Fatal(err)
	}
}

// settle waits until all pods of all contenders are ready, and for the first rush
// that can then be seen coming.
func (r *replay) settle(t *testing.T) {
	t.Helper()
	await(t, func(ctx context.Context) error {
		for _, c := range r.field {
			is, err := c.w.now(ctx)
			if err != nil {
				return err
			}
			if is.Ready < is.Spec || is.Desired < 0 {
				return fmt.Errorf("%s: %d of %d pods ready, the HPA wants %d", c.w.Name, is.Ready, is.Spec, is.Desired)
			}
		}
		return nil
	})
	const before = lead + 15*time.Second
	r.rush = here.day.next(time.Now().Add(before))
	time.Sleep(time.Until(r.rush.Add(-before)))
}

// watch looks once a second until all pods that came for the rush are gone.
func (r *replay) watch(t *testing.T) {
	t.Helper()
	end := r.rush.Add(every - lead - 30*time.Second) // the next one is not seen coming yet
	base := 0
	for tick := time.NewTicker(time.Second); time.Now().Before(end); <-tick.C {
		at := time.Now()
		is := row{at: at, load: here.day.load(at), need: here.day.need(at)}
		back := at.After(r.rush.Add(rush + 15*time.Second))
		for _, c := range r.field {
			s := r.look(t, c, at)
			if base == 0 {
				base = s.Spec
			}
			back = back && s.Spec <= base+1
			if s.Spec < c.w.Min || s.Spec > c.w.Max {
				t.Errorf("%s: %d replicas; want %d to %d", c.what, s.Spec, c.w.Min, c.w.Max)
			}
			is.now = append(is.now, s)
		}
		r.rows = append(r.rows, is)
		if back {
			return
		}
	}
}

// look is one contender at one instant.
func (r *replay) look(t *testing.T, c contender, at time.Time) sight {
	t.Helper()
	is, err := c.w.now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := sight{now: is, forecast: math.NaN(), told: -1}
	if !c.predicts || here.local == nil {
		return s
	}
	if s.forecast, err = r.expects(c.w, at.Add(lead)); err != nil {
		t.Error(err)
	}
	if s.told, err = r.says(c.w); err != nil {
		t.Error(err)
	}
	return s
}

// expects is the forecaster's load of that time.
func (r *replay) expects(w workload, at time.Time) (float64, error) {
	var f struct {
		GeneratedAt time.Time `json:"generatedAt"`
		StepSeconds int       `json:"stepSeconds"`
		Values      []float64 `json:"values"`
	}
	if err := read(r.forecaster.url(r.forecaster.pods[0])+"/forecast/current?workload="+w.oracle(), &f); err != nil {
		return math.NaN(), err
	}
	i := int(at.Sub(f.GeneratedAt).Seconds()) / max(f.StepSeconds, 1)
	if i < 0 || i >= len(f.Values) {
		return math.NaN(), fmt.Errorf("%s: the forecast of %v does not reach %v", w.Name, f.GeneratedAt, at)
	}
	return f.Values[i], nil
}

// says is what a scaler answers KEDA now; KEDA may not have asked yet.
func (r *replay) says(w workload) (int, error) {
	is, err := r.scaler.trigger(w)
	if err != nil || is.Replicas == nil {
		return -1, err
	}
	return *is.Replicas, nil
}

// trigger is how a scaler sees a ScaledObject's trigger.
type trigger struct {
	ScaledObject string    `json:"scaledObject"`
	State        string    `json:"state"`
	Replicas     *int      `json:"replicas"`
	GeneratedAt  time.Time `json:"generatedAt"`
}

// trigger is the workload's at the first replica that KEDA has asked about it.
func (s *service) trigger(w workload) (is trigger, err error) {
	for _, p := range s.pods {
		var status struct {
			Triggers []trigger `json:"triggers"`
		}
		if err := read(s.url(p)+"/status", &status); err != nil {
			return is, err
		}
		for _, is := range status.Triggers {
			if is.ScaledObject == w.Name || is.ScaledObject == w.oracle() {
				return is, nil
			}
		}
	}
	return is, nil
}

func read(url string, into any) error {
	response, err := http.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(url + " answers " + response.Status)
	}
	return json.NewDecoder(response.Body).Decode(into)
}
