package faults_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/kedastral/kedastral/e2e/kedalike"
)

const crowdSize = 10_000

// Ten thousand ScaledObjects ask a scaler that has just started, as they do
// after a restart of KEDA. Each is answered in time with its own count, for one
// question to the forecaster.
//
// A question is asked as KEDA asks it: again after an error, for it polls.
func TestHerd(t *testing.T) {
	f := newFinding("S6", "ten thousand ScaledObjects ask a scaler that has just started", "GetMetricSpec and GetMetrics of each, at once, over one connection")
	results.add(f)
	defer func() {
		f.Seconds = time.Since(f.began).Seconds()
		if f.Verdict != "ok" {
			t.Errorf("%v", f.Checked)
		}
	}()
	w := &world{t: t, judge: &judge{}}
	r := newRelay(t, "")
	w.relays = []*relay{r}
	s := w.newScaler(t, plan{scaler: map[string]string{"CACHE_SIZE": "12000", "REFRESH_INTERVAL": "15s", "STALE_AFTER": "10m", "FETCH_TIMEOUT": "2s", "LOG_LEVEL": "info"}})
	client, err := kedalike.Dial(s.grpc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	r.tell(slowly) // an hour's plan, as large as those of minutes

	var wrongs, errors atomic.Int64
	took := make([]time.Duration, crowdSize)
	waited := delays(int64(os.Getpid()), s.pid.Load())
	began := time.Now()
	var all sync.WaitGroup
	for i := range crowdSize {
		all.Go(func() {
			ref := kedalike.Ref("demo", fmt.Sprintf("w-%d", i), nil)
			for {
				_, _, err := client.Spec(context.Background(), ref)
				if err != nil {
					f.broke(constant, "%v", err)
					return
				}
				n, err := client.Value(context.Background(), ref, "x")
				if err == nil {
					took[i] = time.Since(began)
					if n != float64(7+i%13) {
						wrongs.Add(1)
					}
					return
				}
				errors.Add(1)
				if time.Since(began) > 2*time.Minute {
					f.broke(told, "w-%d: %v after %v", i, err, time.Since(began))
					return
				}
				time.Sleep(time.Second)
			}
		})
	}
	all.Wait()
	slowest := time.Duration(0)
	for _, d := range took {
		slowest = max(slowest, d)
	}
	most := 0
	for i := range crowdSize {
		most = max(most, r.questions(fmt.Sprintf("demo/w-%d", i)))
	}
	rss := s.resident("VmRSS")
	var ours syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ours) // never fails
	results.figure("herd: %d ScaledObjects answered within %.2f s (%.1f s of processor in the scaler, %.1f in those who ask it), %d wrong, %d answers were to be asked again, at most %d questions a workload; scaler RSS %.1f MiB (peak %.1f) with %d forecasts of 60 steps",
		crowdSize, slowest.Seconds(), s.processor().Seconds(), time.Duration(ours.Utime.Nano()+ours.Stime.Nano()).Seconds(), wrongs.Load(), errors.Load(), most, mib(rss), mib(s.resident("VmHWM")), crowdSize)
	f.Slowest, f.Calls, f.Errors = ms(slowest), 2*crowdSize+int(errors.Load()), int(errors.Load())
	held := longestWait(waited, int64(os.Getpid()), s.pid.Load())
	f.remark("the last answer came after %v; a thread waited %v of it for a processor", slowest, held)
	if slowest-held > 3*time.Second {
		f.broke(budget, "the last answer came after %v, %v of it spent waiting for a processor", slowest, held)
	}
	if spent := s.processor(); spent > 3*time.Second {
		f.broke(budget, "the scaler computed for %v", spent)
	}
	if wrongs.Load() > 0 {
		f.broke(told, "%d wrong counts", wrongs.Load())
	}
	if most > 1 && slowest < 10*time.Second { // by then they are refreshed
		f.broke(expected, "the forecaster was asked %d times for one workload", most)
	}
	if rss > 64<<20 {
		f.broke(bounded, "the scaler takes %.1f MiB; want at most 64", mib(rss))
	}
	f.ok(told, budget, constant, bounded, expected)
}

func mib(bytes int) float64 { return math.Round(float64(bytes)/(1<<20)*10) / 10 }

// slowly is a forecast of sixty steps whose count tells its workload.
func slowly(w http.ResponseWriter, r *http.Request, _ func() answer) {
	workload, i := r.FormValue("workload"), 0
	if _, err := fmt.Sscanf(workload, "demo/w-%d", &i); err != nil {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	at := time.Now().Truncate(time.Minute)
	count, n := strings.Repeat(strconv.Itoa(7+i%13)+",", 60), strings.Repeat("100.5,", 60)
	w.Header().Set("Age", strconv.Itoa(int(time.Since(at).Seconds())))
	fmt.Fprintf(w, `{"workload":%q,"metric":"load","generatedAt":%q,"intervalSeconds":60,"stepSeconds":60,"horizonSeconds":3600,"values":[%s],`+
		`"quantiles":[{"level":0.5,"values":[%s]},{"level":0.9,"values":[%s]}],"desiredReplicas":[%s],"model":"scripted","mode":"predictive","observed":{"value":1,"at":%q}}`,
		workload, at.UTC().Format(time.RFC3339), n[:len(n)-1], n[:len(n)-1], n[:len(n)-1], count[:len(count)-1], at.UTC().Format(time.RFC3339))
}

// Ten thousand workloads of one forecaster share one source without crowding
// it.
func TestManyWorkloads(t *testing.T) {
	f := newFinding("M22", "ten thousand workloads of one forecaster read from one source", "CONCURRENCY=8, each with an hour of minutes")
	results.add(f)
	defer func() {
		f.Seconds = time.Since(f.began).Seconds()
		if f.Verdict != "ok" {
			t.Errorf("%v", f.Checked)
		}
	}()
	w := &world{t: t, source: newSource(t)}
	var all []string
	for i := range crowdSize {
		all = append(all, fmt.Sprintf("d/w%d", i))
	}
	s := &service{binary: "forecaster", http: freePort(t), env: map[string]string{
		"FORECASTER_AUTH": "none", "PROMETHEUS_URL": w.source.URL, "SCRAPE_INTERVAL": "0s", "WORKLOADS": strings.Join(all, ","), "DEFAULT_QUERY": "up", "HISTORY": "0s",
		"DEFAULT_TARGET_PER_POD": "10", "DEFAULT_MODEL": "naive", "DEFAULT_WINDOW": "1h", "DEFAULT_HORIZON": "30m", "DEFAULT_INTERVAL": "5m",
		"DEFAULT_TRAIN_INTERVAL": "1h", "MAX_DATA_AGE": "15m", "LOG_LEVEL": "warn",
	}}
	s.env["HTTP_ADDR"] = s.http
	s.start(t)
	s.keep(t)
	took, err := within(3*time.Minute, answers("http://"+s.http+"/readyz"))
	if err != nil {
		f.broke(heals, "not ready: %v", err)
	}
	f.Recovery, f.Allowed = took.Seconds(), 180
	if most := w.source.most.Load(); most > 8 {
		f.broke(bounded, "%d questions at a time; CONCURRENCY is 8", most)
	}
	rss := s.resident("VmRSS")
	results.figure("forecaster: %d workloads ready after %.1f s with %d questions, at most %d at a time; RSS %.1f MiB (peak %.1f)",
		crowdSize, took.Seconds(), w.source.asked.Load(), w.source.most.Load(), mib(rss), mib(s.resident("VmHWM")))
	f.ok(bounded, heals)
}
