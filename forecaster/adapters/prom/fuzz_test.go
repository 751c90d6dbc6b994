package prom_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/series"
)

// Whatever a source answers, a read ends in a window of finite loads or gaps
// with at least one load, or in a fault of one class that quotes neither the
// query nor a credential; and it never panics.
func FuzzAnswer(f *testing.F) {
	good := streamOf(`{"job":"a"}`, point(end, 1), point(end.Add(-time.Minute), 2.5))
	for _, body := range []string{
		matrix(good), matrix(), matrix(good, good), matrixAnd(`,"isPartial":true`, good), matrixAnd(`,"warnings":["x"]`, good),
		matrixAnd(`,"infos":["x"]`, good), matrix(`{"metric":null,"values":null}`), matrix(streamOf(`{}`, `[1709296440,"NaN"]`, `[1e300,"-1e308"]`)),
		`{"status":"error","errorType":"execution","error":"1:2: secretmetric"}`, `{"status":"success","data":{"resultType":"vector","result":[]}}`,
		`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"histograms":[[1,{}]]}]}}`, `<html>`, ``, `[[[[`,
	} {
		f.Add(200, body)
	}
	f.Add(400, `{"status":"error","errorType":"bad_data","error":"1:5: parse error"}`)
	f.Add(503, "busy")

	var status atomic.Int64
	var body atomic.Value
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, body.Load().(string))
	}))
	defer source.Close()

	f.Fuzz(func(t *testing.T, code int, text string) {
		if code < 200 || code > 599 {
			return
		}
		status.Store(int64(code))
		body.Store(text)
		o := options(source.URL)
		o.RetryPause = 1
		a := open(t, o, query())
		frame, err := a.Collect(t.Context(), 3600)
		if err != nil {
			classes := 0
			for _, class := range []error{adapters.ErrConfig, adapters.ErrTransient, adapters.ErrNoData, adapters.ErrPartial} {
				if errors.Is(err, class) {
					classes++
				}
			}
			if classes != 1 || adapters.Reason(err) == adapters.ReasonOther {
				t.Errorf("%v: of %d classes, for the reason %q", err, classes, adapters.Reason(err))
			}
			discreet(t, err.Error())
			return
		}
		if code != http.StatusOK {
			t.Errorf("took status %d: %s", code, text)
		}
		loads := 0
		for _, v := range frame.Values {
			if series.Observed(v) {
				loads++
			}
			if v < 0 {
				t.Errorf("a load of %v", v)
			}
		}
		if frame.Len() != 60 || !frame.End().Equal(end) || loads == 0 && len(a.Warnings()) == 0 {
			t.Errorf("%d of %d steps to %v", loads, frame.Len(), frame.End())
		}
	})
}
