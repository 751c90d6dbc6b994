//go:build e2e

package cluster

import (
	"context"
	"math"
	"time"
)

// day is a load with a daily rhythm and, on top of it, a rush every five minutes:
// it rises within forty seconds, holds for fifty and falls within forty.
type day struct {
	rush time.Time // one begins here
}

const (
	every = 5 * time.Minute
	rise  = 40 * time.Second
	hold  = 50 * time.Second
	rush  = rise + hold + rise

	perPod = 10.0 // DEFAULT_TARGET_PER_POD of overlays/e2e
	grid   = 10 * time.Second
	lead   = time.Minute
	starts = 30 * time.Second // that a pod of the shop takes until it is ready
)

// load is the requests per second at t, with a little noise that is the same
// every time.
func (d day) load(t time.Time) float64 {
	turn := 2 * math.Pi * float64(t.Unix()%86400) / 86400
	into := ((t.Sub(d.rush) % every) + every) % every
	share := 0.0
	switch {
	case into < rise:
		share = into.Seconds() / rise.Seconds()
	case into < rise+hold:
		share = 1
	case into < rush:
		share = (rush - into).Seconds() / rise.Seconds()
	}
	noise := math.Sin(float64(t.Unix()*7919%1000)) * 2
	return math.Max(0, 100+20*math.Sin(turn)+250*share+noise)
}

// need is how many pods the load takes.
func (d day) need(t time.Time) int { return int(math.Ceil(d.load(t) / perPod)) }

// next is when the first rush after t begins.
func (d day) next(t time.Time) time.Time {
	begins := d.rush
	for begins.Before(t) {
		begins = begins.Add(every)
	}
	return begins
}

// stageDay gives Prometheus three days and a little of the load, starts it, and
// lets it scrape the rest. The next rush is two and a half minutes away: time for
// a forecaster to start and for pods to be ready.
func (h *home) stageDay(ctx context.Context) error {
	now := time.Now()
	h.day = day{rush: now.Add(150 * time.Second).Truncate(grid).Add(grid)}
	h.load.set("shop/web", h.day.load)
	if err := h.prom.remember(ctx, "shop/web", h.day.load, now.Add(-75*time.Hour), now, grid); err != nil {
		return err
	}
	return h.prom.start(ctx)
}
