package faults_test

import (
	"fmt"
	"slices"
	"time"
)

// level is what a process uses.
type level struct{ goroutines, descriptors, heap, series float64 }

func (w *world) levels(f *finding) map[*service]level {
	all := map[*service]level{}
	for _, s := range w.services() {
		m, err := s.metrics(w.t.Context())
		if err != nil {
			f.broke(bounded, "%s: %v", s.binary, err)
			continue
		}
		all[s] = level{m["go_goroutines"], m["process_open_fds"], m["go_memstats_heap_inuse_bytes"], float64(len(m))}
	}
	return all
}

// back waits until every process is as large as it was, half a minute after the
// fault was over at the latest.
func (w *world) back(f *finding, before map[*service]level, x fault, mended time.Time) {
	compared := 0
	for s, was := range before {
		if x.again && s.binary == "scaler" || !slices.Contains(w.services(), s) {
			continue // it is another process, or none
		}
		compared++
		took, err := within(30*time.Second-time.Since(mended), func() error {
			m, err := s.metrics(w.t.Context())
			if err != nil {
				return err
			}
			for name, most := range map[string]float64{
				"go_goroutines":                was.goroutines*1.2 + 20,
				"process_open_fds":             was.descriptors*1.2 + 16,
				"go_memstats_heap_inuse_bytes": was.heap*1.5 + 16<<20,
			} {
				if m[name] > most {
					return fmt.Errorf("%s is %.0f; it was at most %.0f", name, m[name], most)
				}
			}
			if grown := float64(len(m)) - was.series; grown > 200 {
				f.broke(series, "%s has %.0f more series", s.binary, grown)
			}
			return nil
		})
		if err != nil {
			f.broke(bounded, "%s after %v: %v", s.binary, took.Round(time.Second), err)
		}
	}
	if compared > 0 {
		f.ok(bounded, series)
	}
}
