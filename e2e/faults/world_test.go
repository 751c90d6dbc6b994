package faults_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"

	"github.com/kedastral/kedastral/e2e/kedalike"
)

// How quickly everything happens here.
const (
	staleAfter = 8 * time.Second
	maxDataAge = 6 * time.Second
	leadTime   = 5 * time.Second
	fallback   = 7 // of the last workload
	callRate   = 150
)

// world is a chain of processes and those who ask.
type world struct {
	t           *testing.T
	source      *source
	forecasters []*service
	relays      []*relay
	scalers     []*service
	judge       *judge
	load        *load
	workloads   []string
	watch       *watch
	wires       []wire   // from the scalers to the relays, if the plan has them
	spare       *service // a shard that does not run yet
}

// plan is what a world is made of.
type plan struct {
	workloads   int               // default 4
	forecasters int               // 0: the relay speaks for itself, unless there are shards
	shards      int               // forecasters that share the workloads, at addresses of their own
	port        string            // of those
	scalers     int               // default 1
	forecaster  map[string]string // more of its environment
	scaler      map[string]string
	source      string // address of another source than the scripted one
	prefix      []string
	rate        int
	island      *island // the scaler lives there
	name        string  // of the relay's host, for its address
	wired       bool    // connections to the relays can be made bad
	lazy        bool    // the load does not wait for a first forecast
}

func newWorld(t *testing.T, p plan) *world {
	t.Helper()
	w := &world{t: t}
	for i := range max(p.workloads, 0) + 4*b2i(p.workloads == 0) {
		w.workloads = append(w.workloads, fmt.Sprintf("demo/w%d", i))
	}
	w.judge = &judge{lead: leadTime, staleAfter: staleAfter, fallback: map[string]int{}, several: p.scalers > 1}
	if p.forecasters+p.shards > 0 && p.source == "" {
		w.source = newSource(t)
		p.source = w.source.URL
	}
	for range p.forecasters {
		f := w.newForecaster(t, p)
		w.forecasters = append(w.forecasters, f)
		w.relays = append(w.relays, newRelay(t, "http://"+f.http))
	}
	switch {
	case p.shards > 0:
		w.sharded(t, p)
	case p.forecasters == 0:
		w.relays = append(w.relays, newRelay(t, ""))
	}
	if p.island != nil {
		moved(t, w.relays[0], p.island.us)
	}
	w.judge.relays = w.relays
	var refs []*pb.ScaledObjectRef
	for i, workload := range w.workloads {
		metadata := map[string]string{"scalerAddress": "scaler:50051", "passwordFromEnv": "metadataS3cret"}
		if i == 3 {
			metadata["fallbackReplicas"] = strconv.Itoa(fallback)
			w.judge.fallback[workload] = fallback
		}
		refs = append(refs, kedalike.Ref("demo", strings.TrimPrefix(workload, "demo/"), metadata))
	}
	for range max(1, p.scalers) {
		w.scalers = append(w.scalers, w.newScaler(t, p))
	}
	w.load = newLoad(t, w.judge, max(p.rate, callRate), refs, w.scalers...)
	w.watch = newWatch(t, w)
	if !p.lazy {
		eventually(t, 30*time.Second, "the world is well", w.well)
	}
	return w
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (w *world) newForecaster(t *testing.T, p plan) *service {
	t.Helper()
	s := w.makeForecaster(t, p)
	w.begin(t, s)
	return s
}

// makeForecaster is one that does not run yet.
func (w *world) makeForecaster(t *testing.T, p plan) *service {
	t.Helper()
	s := &service{binary: "forecaster", http: freePort(t), prefix: p.prefix}
	s.env = map[string]string{
		"HTTP_ADDR": s.http, "FORECASTER_AUTH": "none", "RATE_LIMIT": "0", "PROMETHEUS_URL": p.source, "PROMETHEUS_TIMEOUT": "2s", "SCRAPE_INTERVAL": "0s", "MAX_DATA_AGE": maxDataAge.String(),
		"WORKLOADS": strings.Join(w.workloads, ","), "DEFAULT_QUERY": `sum(rate(queryS3cret{customer="queryS3cret"}[1m]))`,
		"DEFAULT_TARGET_PER_POD": "10", "DEFAULT_MAX_REPLICAS": "500", "DEFAULT_DOWN_MAX_PERCENT_PER_STEP": "0", "DEFAULT_MODEL": "baseline",
		"DEFAULT_STEP": "1s", "DEFAULT_INTERVAL": "2s", "DEFAULT_WINDOW": "4m", "DEFAULT_HORIZON": "30s", "DEFAULT_TRAIN_INTERVAL": "1m",
		"PROMETHEUS_HEADERS": "X-Scope-OrgID:headerS3cret", "PROMETHEUS_BEARER_TOKEN": "tokenS3cret", "LOG_LEVEL": "debug",
	}
	maps.Copy(s.env, p.forecaster)
	return s
}

// begin starts a forecaster and waits until it is ready.
func (w *world) begin(t *testing.T, s *service) {
	t.Helper()
	s.start(t)
	s.keep(t)
	eventually(t, 30*time.Second, "the forecaster is ready", answers("http://"+s.http+"/readyz"))
}

func (w *world) newScaler(t *testing.T, p plan) *service {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("bearerS3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, r := range w.relays {
		url := r.URL
		if p.wired {
			x := newWire(t, strings.TrimPrefix(url, "http://"))
			w.wires, url = append(w.wires, x), "http://"+x.Listen
		}
		if p.name != "" {
			url = strings.Replace(url, "127.0.0.1", p.name, 1)
		}
		urls = append(urls, url)
	}
	s := &service{binary: "scaler", http: freePort(t), grpc: freePort(t), prefix: p.prefix}
	if p.island != nil {
		s.http, s.grpc, s.prefix = p.island.callers+":8082", p.island.callers+":50051", []string{"ip", "netns", "exec", p.island.name}
	}
	s.env = map[string]string{
		"NAMESPACE": "demo", "FORECASTER_URL": strings.Join(urls, ","), "GRPC_ADDR": s.grpc, "HTTP_ADDR": s.http, "FORECASTER_AUTH": "token", "FORECASTER_TOKEN_FILE": token,
		"LEAD_TIME": leadTime.String(), "STALE_AFTER": staleAfter.String(), "REFRESH_INTERVAL": "1s", "FETCH_TIMEOUT": "1s", "LOG_LEVEL": "debug",
	}
	maps.Copy(s.env, p.scaler)
	s.start(t)
	s.keep(t)
	eventually(t, 15*time.Second, "the scaler is ready", answers("http://"+s.http+"/readyz"))
	return s
}

func (w *world) services() []*service {
	return append(append([]*service{}, w.forecasters...), w.scalers...)
}

// well is whether every scaler has a fresh forecast of every workload.
func (w *world) well() error { return w.since(time.Time{}) }

// since is the same, with forecasts that are not from before an instant.
func (w *world) since(from time.Time) error {
	for _, s := range w.scalers {
		states, err := s.status(context.Background())
		if err != nil {
			return err
		}
		if len(states) < len(w.workloads) {
			return fmt.Errorf("%d triggers known to the scaler; want %d", len(states), len(w.workloads))
		}
		for _, st := range states {
			if st.State != "fresh" || st.GeneratedAt.Before(from) {
				return fmt.Errorf("%s is %s %s, its forecast of %v", st.Workload, st.State, st.Reason, st.GeneratedAt)
			}
		}
	}
	return nil
}

// all is whether every trigger of every scaler is in a state.
func (w *world) all(want string) error {
	for _, s := range w.scalers {
		states, err := s.status(context.Background())
		if err != nil {
			return err
		}
		for _, st := range states {
			if st.State != want {
				return fmt.Errorf("%s is %s; want %s", st.Workload, st.State, want)
			}
		}
	}
	return nil
}
