package prom_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// remembered answers as answers does, but makes each answer once.
func remembered(t testing.TB) *fake {
	made := map[string]string{}
	return serve(t, func(_ int, q question, w http.ResponseWriter) {
		key := q.start.String() + q.end.String()
		if made[key] == "" {
			var points []string
			for at := q.start; !at.After(q.end); at = at.Add(q.step) {
				points = append(points, point(at, load(at)/7))
			}
			made[key] = matrix(`{"metric":{},"values":[` + strings.Join(points, ",") + `]}`)
		}
		fmt.Fprint(w, made[key])
	})
}

const fortnight = 14 * 86_400

// A first read of 14 days of minutes: 20,160 steps in two parts.
func BenchmarkFirstRead(b *testing.B) {
	f := remembered(b)
	b.ReportAllocs()
	for b.Loop() {
		collect(b, open(b, options(f.URL), query()), fortnight)
	}
}

// A read one minute later.
func BenchmarkNextRead(b *testing.B) {
	f := remembered(b)
	a, clock := moving(b, f)
	collect(b, a, fortnight)
	b.ReportAllocs()
	for b.Loop() {
		*clock = clock.Add(time.Minute)
		collect(b, a, fortnight)
	}
}
