package e2e_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kedastral/kedastral/e2e/kedalike"
	"github.com/kedastral/kedastral/e2e/process/processtest"
	"github.com/kedastral/kedastral/forecaster/access/accesstest"
)

// moody is a Prometheus that answers a wave, or whatever mood it is in. What it
// answers in anger repeats everything it was sent.
type moody struct {
	*httptest.Server
	mood atomic.Pointer[string]
}

const (
	content   = "content"
	unwilling = "unwilling" // 401
	picky     = "picky"     // 400, as Prometheus says it
	broken    = "broken"    // 500 with a page
	away      = "away"      // a redirect
	garbled   = "garbled"   // 200 with what is no JSON
	slow      = "slow"      // no answer
)

func newMoody(t *testing.T) *moody {
	t.Helper()
	m := &moody{}
	m.set(content)
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.Close)
	return m
}

func (m *moody) set(mood string) { m.mood.Store(&mood) }

func (m *moody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	echo := fmt.Sprintf("%v %v %v", r.URL, r.Header, r.Form)
	switch *m.mood.Load() {
	case unwilling:
		http.Error(w, echo, http.StatusUnauthorized)
	case picky:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"status":"error","errorType":"bad_data","error":%q}`, "1:5: parse error in "+echo)
	case broken:
		http.Error(w, "<html>"+echo, http.StatusInternalServerError)
	case away:
		http.Redirect(w, r, "http://elsewhere.invalid/?"+r.Form.Encode()+r.Header.Get("Authorization"), http.StatusFound)
	case garbled:
		fmt.Fprint(w, `{"status":"success","data":`+echo)
	case slow:
		select {
		case <-r.Context().Done():
		case <-time.After(4 * time.Second):
		}
	default:
		answerWave(w, r)
	}
}

// answerWave answers a range query with a load that repeats every ten minutes.
func answerWave(w http.ResponseWriter, r *http.Request) {
	number := func(name string) (v float64) { v, _ = strconv.ParseFloat(r.Form.Get(name), 64); return v }
	var points []string
	for at, end, step := number("start"), number("end"), number("step"); at <= end && step > 0; at += step {
		points = append(points, fmt.Sprintf(`[%.0f,"%g"]`, at, 200+100*math.Sin(2*math.Pi*at/600)))
	}
	fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"tenant":"labelS3cret"},"values":[%s]}]}}`, strings.Join(points, ","))
}

// secrets are what was planted: none may ever be seen again.
func secrets() []string {
	return []string{"userS3cret", "passwordS3cret", "tokenS3cret", "headerS3cret", "queryS3cret", "labelS3cret", "metadataS3cret", "bearerS3cret", "paramS3cret", "forgedS3cret", "reviewerS3cret"}
}

func discreet(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range secrets() {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("%s tells %s: …%s…", where, secret, text[max(0, i-150):min(len(text), i+80)])
		}
	}
}

// watched is a pair at debug level over a moody Prometheus, small enough that
// everything that can run full does.
type watched struct {
	*pair
	source     *moody
	kubernetes *accesstest.Server
	api        string // where scalers ask; forecasterHTTP is ADMIN_ADDR
}

func newWatched(t *testing.T, more map[string]string) *watched {
	t.Helper()
	source := newMoody(t)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("bearerS3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	kubernetes := accesstest.New(t, map[string]string{"bearerS3cret": "system:serviceaccount:demo:kedastral-scaler"})
	p, api := &pair{forecasterHTTP: processtest.FreeAddress(t), scalerHTTP: processtest.FreeAddress(t)}, processtest.FreeAddress(t)
	p.forecasterEnv = map[string]string{
		"HTTP_ADDR": api, "ADMIN_ADDR": p.forecasterHTTP, "FORECASTER_AUTH": "token",
		"KUBERNETES_URL": kubernetes.URL, "KUBERNETES_CA_FILE": kubernetes.CAFile, "KUBERNETES_TOKEN_FILE": kubernetes.TokenFile,
		"PROMETHEUS_URL": source.URL, "PROMETHEUS_TIMEOUT": "6s", "SCRAPE_INTERVAL": "0s", "MAX_DATA_AGE": "20s",
		"PROMETHEUS_HEADERS": "X-Scope-OrgID:headerS3cret", "LOG_LEVEL": "debug",
		"WORKLOADS": "demo/a,demo/b", "DEFAULT_QUERY": `avg(rate(queryS3cret{customer="queryS3cret"}[1m]))`, "DEFAULT_TARGET_PER_POD": "10", "DEFAULT_MAX_REPLICAS": "500",
		"DEFAULT_STEP": "1s", "DEFAULT_WINDOW": "30m", "DEFAULT_HORIZON": "2m", "DEFAULT_TRAIN_INTERVAL": "1m", "DEFAULT_MODEL": "baseline",
		"FORECAST_METRICS_LEADS": "10s",
	}
	maps.Copy(p.forecasterEnv, more)
	if user := more["PROMETHEUS_URL"]; user != "" {
		p.forecasterEnv["PROMETHEUS_URL"] = strings.Replace(source.URL, "://", user, 1)
	}
	p.startForecaster(t)
	grpcAddr := processtest.FreeAddress(t)
	p.scaler = processtest.Start(t, filepath.Join(binaries, "scaler"), map[string]string{
		"NAMESPACE": "demo", "FORECASTER_URL": "http://" + api, "GRPC_ADDR": grpcAddr, "HTTP_ADDR": p.scalerHTTP, "FORECASTER_AUTH": "token", "FORECASTER_TOKEN_FILE": token,
		"LEAD_TIME": "10s", "STALE_AFTER": "15s", "REFRESH_INTERVAL": "1s", "FETCH_TIMEOUT": "500ms", "CACHE_SIZE": "1", "LOG_LEVEL": "debug",
	})
	processtest.Eventually(t, 10*time.Second, "the scaler is ready", processtest.Answers(t.Context(), "http://"+p.scalerHTTP+"/readyz"))
	client, err := kedalike.Dial(grpcAddr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	p.keda = client
	return &watched{p, source, kubernetes, api}
}

// look asks everything of everyone, as KEDA, as a person, and as a stranger.
func (w *watched) look(t *testing.T) {
	t.Helper()
	for _, name := range []string{"a", "b", "nobody", "metadataS3cret\n"} {
		for _, metadata := range []map[string]string{
			{"passwordFromEnv": "metadataS3cret", "comment": "metadataS3cret"}, {"leadTime": "metadataS3cret"}, {"workload": "metadataS3cret!"}, {"leadTime": "1s"}, {"leadTime": "2s"},
		} {
			if _, err := w.keda.Ask(t.Context(), kedalike.Ref("demo", name, metadata)); err != nil {
				discreet(t, "an answer to KEDA", err.Error())
			}
		}
	}
	for _, header := range [][]string{nil, {"Authorization", fmt.Sprintf("Bearer forgedS3cret%d", time.Now().UnixNano())}, {"Authorization", "Basic forgedS3cret"}} {
		code, _, body, err := processtest.Get(t.Context(), "http://"+w.api+"/forecast/current?workload=demo/a", header...)
		if err != nil || code == http.StatusOK {
			t.Errorf("asking as %v = %d, %v; want a refusal", header, code, err)
		}
		discreet(t, "a refusal", body)
	}
	for _, page := range []string{
		w.forecasterHTTP + "/forecast/current?workload=demo/a", w.forecasterHTTP + "/forecast/current?workload=demo/a&token=paramS3cret", w.forecasterHTTP + "/forecast/explain?workload=demo/a",
		w.forecasterHTTP + "/workloads", w.forecasterHTTP + "/metrics", w.forecasterHTTP + "/healthz", w.forecasterHTTP + "/readyz", w.forecasterHTTP + "/nowhere", w.forecasterHTTP + "/forecast/current?workload=",
		w.scalerHTTP + "/status", w.scalerHTTP + "/metrics", w.scalerHTTP + "/healthz", w.scalerHTTP + "/readyz", w.scalerHTTP + "/nowhere",
	} {
		_, header, body, err := processtest.Get(t.Context(), "http://"+page)
		if err != nil {
			t.Errorf("GET %s: %v", page, err)
		}
		discreet(t, "GET "+page, fmt.Sprint(header)+body)
	}
	discreet(t, "the forecaster's log", w.forecaster.Log.String())
	discreet(t, "the scaler's log", w.scaler.Log.String())
}

// Credentials, queries, labels and what tenants write reach whom they are for
// and nobody else, whatever the source answers and however much is logged.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]map[string]string{
		"token":    {"PROMETHEUS_BEARER_TOKEN": "tokenS3cret"},
		"password": {"PROMETHEUS_USERNAME": "userS3cret", "PROMETHEUS_PASSWORD": "passwordS3cret"},
		"userinfo": {"PROMETHEUS_URL": "://userS3cret:passwordS3cret@"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWatched(t, more)
			for _, mood := range []string{content, unwilling, picky, broken, away, garbled} {
				w.source.set(mood)
				time.Sleep(1500 * time.Millisecond) // a tick and a fetch
				w.look(t)
			}
			w.source.Close()
			w.kubernetes.Fail(http.StatusForbidden)
			time.Sleep(1500 * time.Millisecond)
			w.look(t)
			if log := w.forecaster.Log.String(); !strings.Contains(log, "tokens cannot be reviewed") {
				t.Errorf("that tokens cannot be reviewed was not noticed:\n%s", log)
			}
			if log := w.forecaster.Log.String(); strings.Count(log, "tick failed") < 3 {
				t.Errorf("the source's moods were not noticed:\n%s", log)
			}
		})
	}
	for binary, environment := range map[string]map[string]string{
		"forecaster": {
			"WORKLOADS": "demo/a", "PROMETHEUS_URL": "http://userS3cret:passwordS3cret@%zz", "PROMETHEUS_HEADERS": "headerS3cret", "PROMETHEUS_BEARER_TOKEN": "tokenS3cret",
			"PROMETHEUS_BEARER_TOKEN_FILE": "/none", "DEFAULT_BYOM_TOKEN": "tokenS3cret", "DEFAULT_STEP": "x",
		},
		"scaler": {"NAMESPACE": "demo", "FORECASTER_AUTH": "none", "FORECASTER_URL": "http://userS3cret:passwordS3cret@x,http://userS3cret:passwordS3cret@%zz", "LEAD_TIME": "x"},
	} {
		p := processtest.Start(t, filepath.Join(binaries, binary), environment)
		select {
		case <-p.Done():
		case <-time.After(10 * time.Second):
			t.Fatalf("the %s runs with a broken configuration", binary)
		}
		discreet(t, "the "+binary+" that refuses its configuration", p.Log.String())
	}
}

// Every documented metric that a person's day can move is moved by a day that
// has everything in it.
func TestEveryMetricMoves(t *testing.T) {
	t.Parallel()
	elsewhere := []string{ // what only their own rooms can make happen
		"kedastral_scaler_panics_total",              // a fault of the program
		"kedastral_scaler_cache_superseded_total",    // two forecasters that disagree
		"kedastral_scaler_future_snapshots_total",    // a clock that is wrong
		"kedastral_forecaster_model_fallbacks_total", // a model's service that fails
		"kedastral_forecaster_following",             // another forecaster that holds a Lease
	}
	w := newWatched(t, nil)
	go func() { _ = w.keda.Watch(t.Context(), kedalike.Ref("demo", "a", nil), func(bool) {}) }()
	w.look(t)
	w.source.set(broken)
	time.Sleep(2 * time.Second)
	w.look(t)
	w.source.set(slow)
	time.Sleep(10 * time.Second)
	w.source.set(content)
	processtest.Eventually(t, 15*time.Second, "the source is read again", func() error {
		_, _, body, err := processtest.Get(t.Context(), "http://"+w.forecasterHTTP+"/metrics")
		if err == nil && !strings.Contains(body, `kedastral_forecaster_source_up{workload="demo/a"} 1`) {
			err = errors.New("source_up is not 1")
		}
		return err
	})
	w.fresh(t, "b", 10*time.Second) // whatever else is asked pushes it out of a cache of one
	moved := map[string]bool{}
	for _, address := range []string{w.forecasterHTTP, w.scalerHTTP} {
		_, _, body, err := processtest.Get(t.Context(), "http://"+address+"/metrics")
		if err != nil {
			t.Fatal(err)
		}
		for _, sample := range regexp.MustCompile(`(?m)^(kedastral_\w+?)(_bucket|_count|_sum)?(\{.*\})? (\S+)$`).FindAllStringSubmatch(body, -1) {
			if sample[4] != "0" {
				moved[sample[1]] = true
			}
		}
	}
	document, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("(?m)^\\| `(kedastral_\\w+)`").FindAllStringSubmatch(string(document), -1)
	if len(names) < 30 {
		t.Fatalf("%d documented metrics; want all", len(names))
	}
	for _, name := range names {
		shared := strings.HasPrefix(name[1], "kedastral_forecaster_store_") // there is no Redis here
		if !moved[name[1]] && !shared && !slices.Contains(elsewhere, name[1]) {
			t.Errorf("%s did not move", name[1])
		}
		delete(moved, name[1])
	}
	delete(moved, "kedastral_build_info")
	for name := range moved {
		t.Errorf("%s is not documented", name)
	}
}
