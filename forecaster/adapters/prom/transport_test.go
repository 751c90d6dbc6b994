package prom_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/adapters/prom"
)

func TestCredentials(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(" "+token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	basic := func(user, pass string) string {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.SetBasicAuth(user, pass)
		return r.Header.Get("Authorization")
	}
	f := serve(t, answers(load))
	for _, tt := range []struct {
		o    prom.Options
		want string
	}{
		{prom.Options{URL: f.URL}, ""},
		{prom.Options{URL: f.URL, Token: prom.Secret{Value: token}}, "Bearer " + token},
		{prom.Options{URL: f.URL, Token: prom.Secret{File: file}}, "Bearer " + token},
		{prom.Options{URL: f.URL, Username: userinfo, Password: prom.Secret{Value: password}}, basic(userinfo, password)},
		{prom.Options{URL: f.URL, Username: userinfo, Password: prom.Secret{File: file}}, basic(userinfo, token)},
		{options(f.URL), basic(userinfo, password)},
	} {
		collect(t, open(t, tt.o, query()), 60)
		asked := f.questions()
		if got := asked[len(asked)-1].header.Get("Authorization"); got != tt.want {
			t.Errorf("Authorization: %q; want %q", got, tt.want)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	other := serve(t, answers(load))
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, target := range []string{strings.Replace(other.URL, "127.0.0.1", "localhost", 1), "/elsewhere"} {
			f := serve(t, func(_ int, _ question, w http.ResponseWriter) {
				w.Header().Set("Location", strings.Replace(target, "://", "://hugo:pa55-word@", 1)+"/?token="+token)
				w.WriteHeader(status)
			})
			_, err := open(t, options(f.URL), query()).Collect(t.Context(), 600)
			if !errors.Is(err, adapters.ErrConfig) || adapters.Reason(err) != adapters.ReasonRedirect {
				t.Fatalf("%d: Collect = %v; want that redirects are not followed", status, err)
			}
			if len(f.questions()) != 1 || len(other.questions()) != 0 {
				t.Errorf("%d to %s was followed", status, target)
			}
			if strings.HasPrefix(target, "http") && !strings.Contains(err.Error(), target) {
				t.Errorf("%v; want it to name %s", err, target)
			}
			discreet(t, err.Error())
		}
	}
}

func TestHugeAnswers(t *testing.T) {
	flood := func(w io.Writer) {
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[`)
		for block := strings.Repeat(" ", 1<<20); ; {
			if _, err := io.WriteString(w, block); err != nil {
				return
			}
		}
	}
	for _, tt := range []struct {
		name   string
		answer func(w http.ResponseWriter)
	}{
		{"plain", func(w http.ResponseWriter) { flood(w) }},
		{"bomb", func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
			flood(z)
		}},
		{"error page", func(w http.ResponseWriter) { w.WriteHeader(500); flood(w) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := serve(t, func(_ int, _ question, w http.ResponseWriter) { tt.answer(w) })
			o := options(f.URL)
			o.Timeout = 5 * time.Minute // the race detector compresses slowly
			_, err := open(t, o, query()).Collect(t.Context(), 600)
			if !errors.Is(err, adapters.ErrConfig) || adapters.Reason(err) != adapters.ReasonTooLarge || !strings.Contains(err.Error(), "response over 4 MiB: ") {
				t.Errorf("Collect = %v; want that the response is over 4 MiB", err)
			}
			if got := len(f.questions()); got != 1 {
				t.Errorf("asked %d times for what is too large", got)
			}
		})
	}
}

func TestTheLimitCountsEveryByte(t *testing.T) {
	body := matrix(streamOf(`{}`, point(end, 1)))
	for _, compressed := range []bool{false, true} {
		f := serve(t, func(_ int, q question, w http.ResponseWriter) {
			if !compressed {
				fmt.Fprint(w, body)
				return
			}
			if !strings.Contains(q.header.Get("Accept-Encoding"), "gzip") {
				t.Error("gzip was not asked for")
			}
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			fmt.Fprint(z, body)
			if err := z.Close(); err != nil {
				t.Error(err)
			}
		})
		for limit, want := range map[int64]string{int64(len(body)): "", int64(len(body)) - 1: adapters.ReasonTooLarge} {
			o := options(f.URL)
			o.MaxBytes = limit
			_, err := open(t, o, query()).Collect(t.Context(), 60)
			if got := adapters.Reason(err); got != want {
				t.Errorf("%d bytes, at most %d, gzip %v: %v", len(body), limit, compressed, err)
			}
		}
	}
}

// hang answers no question until the test ends, or only begins to.
func hang(t *testing.T, begin bool) *fake {
	over := make(chan struct{})
	f := serve(t, func(_ int, _ question, w http.ResponseWriter) {
		if begin {
			fmt.Fprint(w, `{"status":`)
			w.(http.Flusher).Flush()
		}
		<-over
	})
	t.Cleanup(func() { close(over) })
	return f
}

func TestHungSource(t *testing.T) {
	for _, begin := range []bool{false, true} {
		f := hang(t, begin)
		o := options(f.URL)
		o.Timeout = 50 * time.Millisecond
		began := time.Now()
		_, err := open(t, o, query()).Collect(t.Context(), 600)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("gave up after %v; want twice the 50 ms of a question", took)
		}
		if !errors.Is(err, adapters.ErrTransient) || adapters.Reason(err) != adapters.ReasonTimeout || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Collect = %v; want that there was no answer in time", err)
		}
		discreet(t, err.Error())
	}
}

func TestTheCallerGivesUp(t *testing.T) {
	f := hang(t, false)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := open(t, options(f.URL), query()).Collect(ctx, 600)
	if !errors.Is(err, context.Canceled) || adapters.Reason(err) != adapters.ReasonCanceled {
		t.Errorf("Collect = %v; want that it was given up", err)
	}
	if got := len(f.questions()); got != 1 {
		t.Errorf("asked %d times", got)
	}
}

func TestNoSecondTryWithoutTime(t *testing.T) {
	f := serve(t, says(500, ""))
	o := options(f.URL)
	o.RetryPause = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	began := time.Now()
	_, err := open(t, o, query()).Collect(ctx, 600)
	if took := time.Since(began); adapters.Reason(err) != adapters.ReasonServer || took > time.Second || len(f.questions()) != 1 {
		t.Errorf("Collect = %v after %v and %d questions; want the first failure at once", err, took, len(f.questions()))
	}
}

func TestRefusedConnection(t *testing.T) {
	f := httptest.NewServer(nil)
	f.Close()
	_, err := open(t, options(f.URL), query()).Collect(t.Context(), 600)
	if !errors.Is(err, adapters.ErrTransient) || adapters.Reason(err) != adapters.ReasonUnreachable || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("Collect = %v; want a refused connection", err)
	}
	discreet(t, err.Error())
}

func TestNames(t *testing.T) {
	f := serve(t, answers(load))
	address := ""
	o := options("http://prometheus.example")
	o.Dial = func(ctx context.Context, network, asked string) (net.Conn, error) {
		if address == "" {
			return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: asked, IsNotFound: true}}
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	a := open(t, o, query())
	_, err := a.Collect(t.Context(), 600)
	if !errors.Is(err, adapters.ErrTransient) || adapters.Reason(err) != adapters.ReasonDNS || !strings.Contains(err.Error(), "prometheus.example: the name does not resolve: no such host") {
		t.Errorf("Collect = %v; want that the name does not resolve", err)
	}
	address = f.Listener.Addr().String()
	collect(t, a, 600)
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	f := serve(t, func(i int, q question, w http.ResponseWriter) {
		if i == 0 {
			w.WriteHeader(500)
			return
		}
		answers(load)(i, q, w)
	})
	o := options(f.URL)
	o.Metrics = prom.NewMetrics(reg)
	collect(t, open(t, o, query()), 600)
	want := `
		# HELP kedastral_forecaster_prometheus_requests_total Questions asked of Prometheus, by what they ended in; ok is an answer that was taken.
		# TYPE kedastral_forecaster_prometheus_requests_total counter
		kedastral_forecaster_prometheus_requests_total{outcome="ok"} 1
		kedastral_forecaster_prometheus_requests_total{outcome="server_error"} 1
	`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "kedastral_forecaster_prometheus_requests_total"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}
