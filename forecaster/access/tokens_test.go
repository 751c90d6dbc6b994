package access_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kedastral/kedastral/forecaster/access"
	"github.com/kedastral/kedastral/shared/telemetry/logtest"
)

// reviewer knows whose tokens are, until it is down.
type reviewer struct {
	users map[string]string
	down  atomic.Bool
	slow  time.Duration
	asked atomic.Int64
}

func (r *reviewer) Review(ctx context.Context, token string) (string, error) {
	r.asked.Add(1)
	if r.slow > 0 {
		select {
		case <-time.After(r.slow):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	if r.down.Load() {
		return "", errors.New("connection refused")
	}
	return r.users[token], nil
}

func guard(t *testing.T, r *reviewer, more ...func(*access.TokenOptions)) *access.Tokens {
	t.Helper()
	o := access.TokenOptions{Reviewer: r, Log: slog.New(slog.DiscardHandler)}
	for _, change := range more {
		change(&o)
	}
	g, err := access.NewTokens(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func bearing(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/forecast/current?workload=bank/vault", nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

const scaler = "system:serviceaccount:shop:kedastral-scaler"

// The namespace is the service account's, whatever the request asks for.
func TestWhoATokenIs(t *testing.T) {
	r := &reviewer{users: map[string]string{
		"scaler": scaler, "prometheus": "system:serviceaccount:monitoring:prometheus", "person": "jane", "nobody": "system:serviceaccount::x", "other": "system:serviceaccount:shop:default",
	}}
	g := guard(t, r, func(o *access.TokenOptions) {
		o.Admins, o.Accounts = []string{"monitoring/prometheus"}, []string{"kedastral-scaler"}
	})
	for _, tt := range []struct {
		header    string
		namespace string
		all       bool
		err       error
	}{
		{"Bearer scaler", "shop", false, nil},
		{"bearer  scaler", "shop", false, nil},
		{"Bearer prometheus", "", true, nil},
		{"Bearer other", "", false, access.ErrForbidden},
		{"Bearer person", "", false, access.ErrForbidden},
		{"Bearer nobody", "", false, access.ErrForbidden},
		{"Bearer forged", "", false, access.ErrUnknown},
		{"Bearer ", "", false, access.ErrUnknown},
		{"Basic c2NhbGVyOg==", "", false, access.ErrUnknown},
		{"", "", false, access.ErrUnknown},
	} {
		request := bearing("")
		request.Header.Set("Authorization", tt.header)
		for range 2 { // reviewed, and remembered
			id, err := g.Identify(request)
			if id.Namespace != tt.namespace || id.All != tt.all || !errors.Is(err, tt.err) {
				t.Errorf("%q: Identify = %+v, %v; want namespace %q, all %t, %v", tt.header, id, err, tt.namespace, tt.all, tt.err)
			}
			if err != nil && id.Sees("shop/web") {
				t.Errorf("%q: refused and sees shop/web", tt.header)
			}
		}
	}
	if n := r.asked.Load(); n != 6 {
		t.Errorf("%d reviews of six tokens; want one each", n)
	}
}

func TestWhoSeesWhat(t *testing.T) {
	for _, tt := range []struct {
		id       access.Identity
		workload string
		want     bool
	}{
		{access.Identity{Namespace: "shop"}, "shop/web", true},
		{access.Identity{Namespace: "shop"}, "shop-2/web", false},
		{access.Identity{Namespace: "shop"}, "sho/web", false},
		{access.Identity{Namespace: "shop"}, "shop", false},
		{access.Identity{}, "/web", false},
		{access.Identity{}, "web", false},
		{access.Identity{}, "shop/web", false},
		{access.Identity{All: true}, "shop/web", true},
	} {
		if got := tt.id.Sees(tt.workload); got != tt.want {
			t.Errorf("%+v.Sees(%q) = %t; want %t", tt.id, tt.workload, got, tt.want)
		}
	}
}

// A token is reviewed once a minute, however often it comes, so one that is
// revoked is refused a minute later.
func TestARevokedTokenIsRefusedWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reviewer{users: map[string]string{"a": scaler}}
		g := guard(t, r)
		for range 59 {
			if _, err := g.Identify(bearing("a")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if n := r.asked.Load(); n != 1 {
			t.Errorf("%d reviews within a minute; want 1", n)
		}
		delete(r.users, "a")
		time.Sleep(time.Second)
		if _, err := g.Identify(bearing("a")); !errors.Is(err, access.ErrUnknown) {
			t.Errorf("after a minute: %v; want %v", err, access.ErrUnknown)
		}
		r.users["a"] = scaler
		time.Sleep(9 * time.Second)
		if _, err := g.Identify(bearing("a")); !errors.Is(err, access.ErrUnknown) || r.asked.Load() != 2 {
			t.Errorf("nine seconds after it was rejected: %v with %d reviews; want that to be remembered", err, r.asked.Load())
		}
		time.Sleep(time.Second)
		if _, err := g.Identify(bearing("a")); err != nil {
			t.Errorf("ten seconds after it was rejected: %v; want it reviewed again", err)
		}
	})
}

// While reviews fail, who was let in lately stays in for five minutes, nobody
// else comes in, and the failing server is asked once a second. It is told in
// one line, and its end in another.
func TestWhileReviewsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reviewer{users: map[string]string{"a": scaler, "b": scaler}}
		var log logtest.Log
		reg := prometheus.NewRegistry()
		g := guard(t, r, func(o *access.TokenOptions) {
			o.Log, o.Metrics = slog.New(slog.NewTextHandler(&log, nil)), access.NewMetrics(reg)
		})
		if _, err := g.Identify(bearing("a")); err != nil {
			t.Fatal(err)
		}
		r.down.Store(true)
		for at := time.Duration(0); at < 5*time.Minute; at += 100 * time.Millisecond {
			if id, err := g.Identify(bearing("a")); err != nil || id.Namespace != "shop" {
				t.Fatalf("%v after its review: %+v, %v; want it let in", at, id, err)
			}
			if _, err := g.Identify(bearing("b")); !errors.Is(err, access.ErrUnverified) {
				t.Fatalf("%v: a token never reviewed: %v; want %v", at, err, access.ErrUnverified)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if _, err := g.Identify(bearing("a")); !errors.Is(err, access.ErrUnverified) {
			t.Errorf("five minutes after its review: %v; want %v", err, access.ErrUnverified)
		}
		if n := r.asked.Load(); n > 305 {
			t.Errorf("%d reviews in five minutes of failing; want at most one a second", n)
		}
		r.down.Store(false)
		time.Sleep(time.Second)
		if _, err := g.Identify(bearing("a")); err != nil {
			t.Errorf("when reviews work again: %v", err)
		}
		if lines := strings.Count(log.String(), "\n"); lines != 2 || !strings.Contains(log.String(), "tokens cannot be reviewed") || !strings.Contains(log.String(), "reviewed again") {
			t.Errorf("the log has %d lines; want two:\n%s", lines, &log)
		}
		if _, err := g.Identify(bearing("forged")); !errors.Is(err, access.ErrUnknown) {
			t.Errorf("a forged token: %v; want %v", err, access.ErrUnknown)
		}
		want := fmt.Sprintf(`
# HELP kedastral_forecaster_token_reviews_total Tokens that the Kubernetes API was asked about, by what came of it: accepted, rejected or failed.
# TYPE kedastral_forecaster_token_reviews_total counter
kedastral_forecaster_token_reviews_total{result="accepted"} 2
kedastral_forecaster_token_reviews_total{result="failed"} %d
kedastral_forecaster_token_reviews_total{result="rejected"} 1
`, r.asked.Load()-3)
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
	})
}

// A token is not let in longer than it says itself, not even while that cannot
// be found out otherwise.
func TestATokenThatExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, time.Now().Add(20*time.Second).Unix()))
		token := "e30." + claims + ".c2ln"
		r := &reviewer{users: map[string]string{token: scaler}}
		g := guard(t, r)
		if _, err := g.Identify(bearing(token)); err != nil {
			t.Fatal(err)
		}
		r.down.Store(true)
		time.Sleep(19 * time.Second)
		if _, err := g.Identify(bearing(token)); err != nil {
			t.Errorf("a second before its end: %v", err)
		}
		time.Sleep(2 * time.Second)
		if _, err := g.Identify(bearing(token)); !errors.Is(err, access.ErrUnverified) {
			t.Errorf("a second after its end: %v; want %v", err, access.ErrUnverified)
		}
	})
}

// Many who come at once with one token cause one review; a review that hangs is
// given up within a second and a half; who leaves does not end it for others.
func TestReviewsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reviewer{users: map[string]string{"a": scaler}, slow: time.Second}
		g := guard(t, r)
		gone, leave := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		wait.Go(func() {
			if _, err := g.Identify(bearing("a").WithContext(gone)); !errors.Is(err, access.ErrUnverified) {
				t.Errorf("who left: %v; want %v", err, access.ErrUnverified)
			}
		})
		synctest.Wait()
		for range 50 {
			wait.Go(func() {
				if _, err := g.Identify(bearing("a")); err != nil {
					t.Error(err)
				}
			})
		}
		leave()
		wait.Wait()
		if n := r.asked.Load(); n != 1 {
			t.Errorf("%d reviews; want 1", n)
		}
		r.slow = time.Hour
		began := time.Now()
		if _, err := g.Identify(bearing("b")); !errors.Is(err, access.ErrUnverified) || time.Since(began) != 1500*time.Millisecond {
			t.Errorf("a review that hangs: %v after %v; want %v after 1.5s", err, time.Since(began), access.ErrUnverified)
		}
		synctest.Wait()
	})
}

// However many bad tokens come, a good one is not pushed out of memory.
func TestBadTokensPushNobodyOut(t *testing.T) {
	r := &reviewer{users: map[string]string{"good": scaler}}
	g := guard(t, r)
	if _, err := g.Identify(bearing("good")); err != nil {
		t.Fatal(err)
	}
	for i := range 20_000 {
		if _, err := g.Identify(bearing(fmt.Sprintf("bad-%d", i))); !errors.Is(err, access.ErrUnknown) {
			t.Fatal(err)
		}
	}
	before := r.asked.Load()
	if _, err := g.Identify(bearing("good")); err != nil || r.asked.Load() != before {
		t.Errorf("the good token: %v, with %d reviews more; want it remembered", err, r.asked.Load()-before)
	}
}
