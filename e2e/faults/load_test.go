package faults_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	"github.com/kedastral/kedastral/e2e/kedalike"
)

// load asks scalers what KEDA asks, at a rate that does not wait for answers.
type load struct {
	client  *kedalike.Client
	witness *witness
	refs    []*pb.ScaledObjectRef
	judge   *judge
	phase   atomic.Pointer[phase]
	retries atomic.Bool // as KEDA does, once
	stop    context.CancelFunc

	mu    sync.Mutex
	still []span // when the machine stood still

	done sync.WaitGroup
}

// newLoad asks for workloads in turn, rate calls a second in all.
func newLoad(t *testing.T, j *judge, rate int, refs []*pb.ScaledObjectRef, scalers ...*service) *load {
	t.Helper()
	names := manual.NewBuilderWithScheme("scalers")
	state := resolver.State{}
	for _, s := range scalers {
		state.Addresses = append(state.Addresses, resolver.Address{Addr: s.grpc})
	}
	names.InitialState(state)
	client, err := kedalike.Dial("scalers:///all", grpc.WithResolvers(names))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{client: client, witness: newWitness(t), refs: refs, judge: j, stop: cancel}
	l.phase.Store(newPhase(newFinding("", "", ""), false))
	j.stood = l.stood
	l.done.Go(func() { l.run(ctx, time.Second*3/time.Duration(rate)) })
	l.done.Go(func() { l.notice(ctx) })
	for _, s := range scalers {
		l.done.Go(func() { s.starved(ctx, func(at span) { l.phase.Load().starve(at) }) })
	}
	t.Cleanup(func() {
		l.stop()
		l.done.Wait()
		_ = client.Close()
	})
	return l
}

// run begins a round of questions every so often.
func (l *load) run(ctx context.Context, every time.Duration) {
	var rounds sync.WaitGroup
	defer rounds.Wait()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	began, n := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			for ; n < int(time.Since(began)/every); n++ { // a late tick begins what was missed
				ref := l.refs[n%len(l.refs)]
				stranger := n%25 == 0
				rounds.Go(func() { l.round(ctx, ref, stranger) })
				rounds.Go(func() { l.attest(ctx, ref) })
			}
		}
	}
}

// round is one workload's three questions, and now and then one that is not
// this scaler's to answer.
func (l *load) round(ctx context.Context, ref *pb.ScaledObjectRef, stranger bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p := l.phase.Load()
	workload := ref.GetNamespace() + "/" + ref.GetName()
	var metric string
	var target float64
	if err := l.ask(ctx, p, func(ctx context.Context) (err error) { metric, target, err = l.client.Spec(ctx, ref); return err }, func(_, _ time.Time, err error) {
		if err != nil || metric != "kedastral-desired-replicas" || target != 1 {
			p.finding.broke(constant, "GetMetricSpec of %s: %s, %v, %v", workload, metric, target, err)
		}
	}); err != nil {
		return
	}
	var value float64
	_ = l.ask(ctx, p, func(ctx context.Context) (err error) { value, err = l.client.Value(ctx, ref, metric); return err }, func(from, to time.Time, err error) {
		results.answered(p.finding, workload, from, to, value, err)
		l.judge.hears(p.finding, workload, from, to, value, err)
	})
	var active bool
	_ = l.ask(ctx, p, func(ctx context.Context) (err error) { active, err = l.client.Active(ctx, ref); return err }, func(_, _ time.Time, err error) {
		if err == nil && !active {
			p.finding.broke(ignorance, "IsActive of %s: false, which scales to zero", workload)
		}
	})
	if !stranger {
		return
	}
	foreign := kedalike.Ref("elsewhere", ref.GetName(), map[string]string{"comment": "metadataS3cret"})
	_ = l.ask(ctx, p, func(ctx context.Context) error { _, err := l.client.Value(ctx, foreign, metric); return err }, func(_, _ time.Time, err error) {
		p.stranger()
		if status.Code(err) != codes.PermissionDenied || strings.Contains(err.Error(), ref.GetName()) {
			p.finding.broke(apart, "asked for another namespace: %v; want a bare PermissionDenied", err)
		}
	})
}

// attest asks the witness as a round asks a scaler, and at the same moment.
func (l *load) attest(ctx context.Context, ref *pb.ScaledObjectRef) {
	for range 3 {
		p := l.phase.Load()
		from := time.Now()
		if _, err := l.witness.Value(ctx, ref, "witness"); err != nil && ctx.Err() == nil {
			p.finding.broke(busy, "the witness: %v", err)
		}
		p.witness(span{from, time.Now()})
	}
}

// ask is one call. What came of it is told if anybody was there to answer.
func (l *load) ask(ctx context.Context, p *phase, call func(context.Context) error, heard func(from, to time.Time, err error)) error {
	from := time.Now()
	number := p.begin(from)
	err := call(ctx)
	if lost(err) && l.retries.Load() && ctx.Err() == nil {
		err = call(ctx)
	}
	to := time.Now()
	if err != nil && strings.Contains(err.Error(), "S3cret") {
		p.finding.broke(discreet, "an answer: %v", err)
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		p.lost(number, 0)
		return ctx.Err()
	case lost(err) || ctx.Err() != nil:
		if now := l.phase.Load(); !p.silent && !now.silent {
			p.finding.broke(ignorance, "a call reached nobody: %v", err)
		}
		p.lost(number, 1)
		return err
	}
	p.answered(number, span{from, to}, err)
	heard(from, to, err)
	return nil
}

// lost is an error that is not a scaler's answer.
func lost(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	return slices.ContainsFunc([]string{"connection", "transport", "EOF", "DeadlineExceeded", "Canceled", "zero addresses"}, func(s string) bool { return strings.Contains(text, s) })
}

// notice measures how late this machine is without any of ours. Whatever is
// under way while it is has to wait, too.
func (l *load) notice(ctx context.Context) {
	for ctx.Err() == nil {
		const nap = 5 * time.Millisecond
		due := time.Now().Add(nap)
		time.Sleep(nap)
		now := time.Now()
		if now.Sub(due) > time.Millisecond {
			l.phase.Load().delay(span{due, now})
		}
		if now.Sub(due) > standstill {
			l.mu.Lock()
			l.still = append(l.still, span{due, now})
			l.mu.Unlock()
		}
	}
}

// enter begins a phase, and is the one before.
func (l *load) enter(f *finding, silent bool) (before *phase) {
	return l.phase.Swap(newPhase(f, silent))
}
