package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

// How long what a review said is good for.
const (
	fresh    = time.Minute      // then the token is reviewed again
	grace    = 5 * time.Minute  // but stays good for so long while that cannot be done
	rejected = 10 * time.Second // a token that is no good is not reviewed again before
	breather = time.Second      // between two reviews while they fail, for all tokens
	patience = 1500 * time.Millisecond
)

// remembered is how many tokens are, good and bad apart: however many bad ones
// come, they push no good one out.
const remembered = 8192

// Reviewer is who knows whose a token is.
type Reviewer interface {
	// Review is the user whom the token was given to, "" if it is no good
	// here. The error is why that could not be found out.
	Review(ctx context.Context, token string) (user string, err error)
}

// TokenOptions are what [Tokens] are made of.
type TokenOptions struct {
	Reviewer Reviewer
	Accounts []string // names that a scaler's service account may have; none: any
	Admins   []string // service accounts that see everything, NAMESPACE/NAME
	Metrics  *Metrics
	Log      *slog.Logger
}

// Tokens tells who asks by the bearer token, whose review is good for a minute
// and, while reviews fail, for five. Tokens are kept as their hash alone.
type Tokens struct {
	TokenOptions
	known    *lru.Cache[[sha256.Size]byte, reviewed]
	unknown  *lru.Cache[[sha256.Size]byte, time.Time] // until when
	inFlight singleflight.Group

	mu    sync.Mutex
	until time.Time // no review before, because the last one failed
	down  bool      // and the log says so
}

// reviewed is what a review found out.
type reviewed struct {
	at      time.Time
	expires time.Time // of the token itself; zero where it does not say
	who     Identity
	err     error // ErrForbidden
}

// NewTokens makes the guard.
func NewTokens(o TokenOptions) (*Tokens, error) {
	known, err := lru.New[[sha256.Size]byte, reviewed](remembered)
	if err != nil {
		return nil, fmt.Errorf("making the table of tokens: %w", err)
	}
	unknown, err := lru.New[[sha256.Size]byte, time.Time](remembered)
	if err != nil {
		return nil, fmt.Errorf("making the table of tokens that are no good: %w", err)
	}
	return &Tokens{TokenOptions: o, known: known, unknown: unknown}, nil
}

// Identify implements [Guard].
func (t *Tokens) Identify(r *http.Request) (Identity, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
		return Identity{}, fmt.Errorf("%w: send a service account's token as Authorization: Bearer TOKEN", ErrUnknown)
	}
	key, now := sha256.Sum256([]byte(token)), time.Now()
	before, ok := t.known.Get(key)
	if ok && before.good(now, fresh) {
		return before.who, before.err
	}
	if until, bad := t.unknown.Get(key); bad && now.Before(until) {
		return Identity{}, errNoGood
	}
	found, err := t.review(r.Context(), key, token)
	switch {
	case err == nil:
		return found.who, found.err
	case errors.Is(err, ErrUnverified) && ok && before.good(now, grace):
		return before.who, before.err
	}
	return Identity{}, err
}

var errNoGood = fmt.Errorf("%w: the token is not valid, or not for this audience", ErrUnknown)

// good is whether what was found out still holds.
func (v reviewed) good(now time.Time, term time.Duration) bool {
	return now.Sub(v.at) < term && (v.expires.IsZero() || now.Before(v.expires))
}

// review has a token reviewed, once for all who wait, and not while reviews
// fail. Who gives up waiting leaves it to the others.
func (t *Tokens) review(ctx context.Context, key [sha256.Size]byte, token string) (reviewed, error) {
	if t.pausing(time.Now()) {
		return reviewed{}, fmt.Errorf("%w: the Kubernetes API did not answer a moment ago", ErrUnverified)
	}
	answer := t.inFlight.DoChan(string(key[:]), func() (any, error) {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		return t.ask(within, key, token)
	})
	select {
	case <-ctx.Done():
		return reviewed{}, fmt.Errorf("%w: %w", ErrUnverified, ctx.Err())
	case a := <-answer:
		v, _ := a.Val.(reviewed)
		return v, a.Err
	}
}

func (t *Tokens) ask(ctx context.Context, key [sha256.Size]byte, token string) (reviewed, error) {
	user, err := t.Reviewer.Review(ctx, token)
	now := time.Now()
	t.settle(ctx, now, err)
	switch {
	case err != nil:
		t.Metrics.reviewed(resultFailed)
		return reviewed{}, fmt.Errorf("%w: the Kubernetes API does not answer", ErrUnverified)
	case user == "":
		t.Metrics.reviewed(resultRejected)
		t.known.Remove(key)
		t.unknown.Add(key, now.Add(rejected))
		return reviewed{}, errNoGood
	}
	t.Metrics.reviewed(resultAccepted)
	v := reviewed{at: now, expires: expiry(token)}
	v.who, v.err = t.identity(user)
	t.known.Add(key, v)
	return v, nil
}

const accountPrefix = "system:serviceaccount:"

// identity is what a user is here.
func (t *Tokens) identity(user string) (Identity, error) {
	rest, isAccount := strings.CutPrefix(user, accountPrefix)
	namespace, account, ok := strings.Cut(rest, ":")
	switch {
	case !isAccount || !ok || namespace == "" || account == "":
		return Identity{}, fmt.Errorf("%w: the token is no service account's", ErrForbidden)
	case slices.Contains(t.Admins, namespace+"/"+account):
		return Identity{Name: user, All: true}, nil
	case len(t.Accounts) > 0 && !slices.Contains(t.Accounts, account):
		return Identity{}, fmt.Errorf("%w: the token's service account is none of those that FORECASTER_AUTH_ACCOUNTS lets in", ErrForbidden)
	}
	return Identity{Name: user, Namespace: namespace}, nil
}

func (t *Tokens) pausing(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return now.Before(t.until)
}

// settle notes how a review went, and tells the log when that changed.
func (t *Tokens) settle(ctx context.Context, now time.Time, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.until = now.Add(breather)
	}
	if t.down == (err != nil) {
		return
	}
	if t.down = err != nil; t.down {
		t.Log.ErrorContext(ctx, "tokens cannot be reviewed, those reviewed lately stay good for five minutes", "err", err)
		return
	}
	t.Log.InfoContext(ctx, "tokens are reviewed again")
}
