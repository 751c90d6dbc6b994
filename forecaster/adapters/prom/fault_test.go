package prom_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/forecaster/adapters"
	"github.com/kedastral/kedastral/forecaster/adapters/prom"
)

// TestFaults tells every answer that must not be taken, and what is said then.
func TestFaults(t *testing.T) {
	good := streamOf(`{}`, point(end, 1))
	deep := strings.Repeat(`[`, 200_000)
	for _, tt := range []struct {
		name   string
		status int
		body   string
		class  error
		reason string
		asked  int    // 2: it may heal, so once more
		text   string // that is said
	}{
		{
			"bad query", 400, `{"status":"error","errorType":"bad_data","error":"1:5: parse error: unknown function \"secretmetric_requests_total\""}`,
			adapters.ErrConfig, adapters.ReasonConfig, 1, "refuses the query (status 400), bad_data, at line 1, column 5",
		},
		{
			"query that cannot run", 422, `{"status":"error","errorType":"execution","error":"too many samples"}`,
			adapters.ErrConfig, adapters.ReasonConfig, 1, `refuses the query (status 422), execution: "too many samples"`,
		},
		{"query repeated by a proxy", 400, promQL, adapters.ErrConfig, adapters.ReasonConfig, 1, "refuses the query (status 400)"},
		{"no credentials", 401, "bad token " + password, adapters.ErrConfig, adapters.ReasonAuth, 1, "refuses the credentials (status 401)"},
		{"foreign tenant", 403, "no", adapters.ErrConfig, adapters.ReasonAuth, 2, "refuses the credentials (status 403)"}, // by POST, then by GET
		{"wrong path", 404, "<html>404</html>", adapters.ErrConfig, adapters.ReasonConfig, 1, "with the path it lives under"},
		{"gone", 410, "", adapters.ErrConfig, adapters.ReasonConfig, 1, "status 410"},
		{"request timeout", 408, "", adapters.ErrTransient, adapters.ReasonTimeout, 2, "408"},
		{"rate limit", 429, "", adapters.ErrTransient, adapters.ReasonRateLimited, 2, "asked too much"},
		{"error of the server", 500, `{"status":"error","errorType":"internal","error":"oops"}`, adapters.ErrTransient, adapters.ReasonServer, 2, `failed (status 500), internal: "oops"`},
		{"error that repeats the user", 500, `{"status":"error","errorType":"internal","error":"hello Hugo"}`, adapters.ErrTransient, adapters.ReasonServer, 2, "failed (status 500), internal"},
		{"error that repeats the password", 500, `{"status":"error","errorType":"internal","error":"is it pa55-word?"}`, adapters.ErrTransient, adapters.ReasonServer, 2, "failed (status 500), internal"},
		{"bad gateway", 502, "<html><h1>502</h1></html>", adapters.ErrTransient, adapters.ReasonServer, 2, "status 502"},
		{"unavailable", 503, "starting", adapters.ErrTransient, adapters.ReasonServer, 2, "status 503"},
		{"gateway timeout", 504, "", adapters.ErrTransient, adapters.ReasonServer, 2, "status 504"},
		{"success that is an error", 200, `{"status":"error","errorType":"timeout","error":"query timed out in secretmetric"}`, adapters.ErrTransient, adapters.ReasonServer, 2, "an error, timeout"},
		{"another success", 204, "", adapters.ErrTransient, adapters.ReasonBadResponse, 2, "status 204"},

		{"empty body", 200, "", adapters.ErrTransient, adapters.ReasonBadResponse, 2, "it is empty"},
		{"login page", 200, " <!doctype html><title>Sign in</title>", adapters.ErrTransient, adapters.ReasonBadResponse, 2, "it is HTML"},
		{"text", 200, "secretmetric ok", adapters.ErrTransient, adapters.ReasonBadResponse, 2, "it is not JSON"},
		{"cut off", 200, matrix(good)[:60], adapters.ErrTransient, adapters.ReasonBadResponse, 2, "cut off"},
		{"two answers", 200, matrix(good) + matrix(good), adapters.ErrTransient, adapters.ReasonBadResponse, 2, "cut off"},
		{"nothing in it", 200, `{}`, adapters.ErrTransient, adapters.ReasonBadResponse, 2, "neither success nor error"},
		{"unknown status", 200, `{"status":"secretmetric"}`, adapters.ErrTransient, adapters.ReasonBadResponse, 2, "neither success nor error"},
		{"no data field", 200, `{"status":"success"}`, adapters.ErrTransient, adapters.ReasonBadResponse, 2, "without a result"},
		{"null data", 200, `{"status":"success","data":null}`, adapters.ErrTransient, adapters.ReasonBadResponse, 2, "without a result"},
		{"data of another type", 200, `{"status":"success","data":[1]}`, adapters.ErrTransient, adapters.ReasonBadResponse, 2, "not the API's"},
		{"result of another type", 200, `{"status":"success","data":{"resultType":"matrix","result":{"a":1}}}`, adapters.ErrTransient, adapters.ReasonBadResponse, 2, "not the API's"},
		{"null series", 200, matrix(`null`), adapters.ErrTransient, adapters.ReasonBadResponse, 2, "not the API's"},
		{"number for a value", 200, matrix(streamOf(`{}`, `[1709296440,1]`)), adapters.ErrTransient, adapters.ReasonBadResponse, 2, "not the API's"},
		{"word for a value", 200, matrix(streamOf(`{}`, `[1709296440,"many"]`)), adapters.ErrTransient, adapters.ReasonBadResponse, 2, "not the API's"},
		{"word for a time", 200, matrix(streamOf(`{}`, `["today","1"]`)), adapters.ErrTransient, adapters.ReasonBadResponse, 2, "not the API's"},
		{"point of three", 200, matrix(streamOf(`{}`, `[1709296440,"1","2"]`)), adapters.ErrTransient, adapters.ReasonBadResponse, 2, "not the API's"},
		{"label of a number", 200, matrix(streamOf(`{"a":1}`, point(end, 1))), adapters.ErrTransient, adapters.ReasonBadResponse, 2, "not the API's"},
		{"deep nesting", 200, `{"status":"success","data":{"resultType":"matrix","result":` + deep, adapters.ErrTransient, adapters.ReasonBadResponse, 2, "not the API's"},

		{"vector", 200, `{"status":"success","data":{"resultType":"vector","result":[]}}`, adapters.ErrConfig, adapters.ReasonResultType, 1, `not a matrix: "vector"`},
		{"scalar", 200, `{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}`, adapters.ErrConfig, adapters.ReasonResultType, 1, `not a matrix: "scalar"`},
		{"string", 200, `{"status":"success","data":{"resultType":"string","result":[1,"a"]}}`, adapters.ErrConfig, adapters.ReasonResultType, 1, `not a matrix: "string"`},
		{"histograms", 200, matrix(`{"metric":{},"histograms":[[1709296440,{"count":"1","sum":"1","buckets":[]}]]}`), adapters.ErrConfig, adapters.ReasonResultType, 1, "series of histograms"},
		{"many series", 200, matrix(streamOf(`{"pod":"a"}`, point(end, 1)), streamOf(`{"pod":"b"}`, point(end, 2))), adapters.ErrConfig, adapters.ReasonManySeries, 1, "2 series: must be one; wrap the query in sum(...)"},

		{"partial by VictoriaMetrics", 200, matrixAnd(`,"isPartial":true`, good), adapters.ErrPartial, adapters.ReasonPartial, 1, "a partial answer"},
		{"partial by Thanos", 200, matrixAnd(`,"warnings":["store 10.0.0.1 is down"]`, good), adapters.ErrPartial, adapters.ReasonPartial, 1, `"store 10.0.0.1 is down"`},
		{"warning that names the query", 200, matrixAnd(`,"warnings":["no store has secretmetric_requests_total"]`, good), adapters.ErrPartial, adapters.ReasonPartial, 1, "which may be partial"},
		{"partial marker of another type", 200, matrixAnd(`,"isPartial":"yes"`, good), adapters.ErrTransient, adapters.ReasonBadResponse, 2, "not the API's"},

		{"no series", 200, matrix(), adapters.ErrNoData, adapters.ReasonNoData, 1, "no values between 2024-03-01T11:34:00Z and 2024-03-01T12:34:00Z"},
		{"no points", 200, matrix(`{"metric":{},"values":[]}`), adapters.ErrNoData, adapters.ReasonNoData, 1, "check that the query matches a series"},
		{"nothing but NaN", 200, matrix(streamOf(`{}`, `[1709296440,"NaN"]`)), adapters.ErrNoData, adapters.ReasonNoData, 1, "no values"},
		{"nothing in the window", 200, matrix(streamOf(`{}`, `[1,"1"]`)), adapters.ErrNoData, adapters.ReasonNoData, 1, "no values"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := serve(t, says(tt.status, tt.body))
			_, err := open(t, options(f.URL), query()).Collect(t.Context(), 3600)
			if !errors.Is(err, tt.class) || adapters.Reason(err) != tt.reason {
				t.Fatalf("Collect = %v, for the reason %q; want %q, a case of %q", err, adapters.Reason(err), tt.reason, tt.class)
			}
			if !strings.Contains(err.Error(), tt.text) || !strings.HasPrefix(err.Error(), "http_rps: Prometheus at 127.0.0.1:") {
				t.Errorf("Collect = %q; want the metric, the host, and %q", err, tt.text)
			}
			discreet(t, fmt.Sprintf("%v %+v", err, err))
			if got := len(f.questions()); got != tt.asked {
				t.Errorf("asked %d times; want %d", got, tt.asked)
			}
		})
	}
}

func TestInfosAreHarmless(t *testing.T) {
	f := serve(t, says(200, matrixAnd(`,"isPartial":false,"warnings":[],"infos":["metric might not be a counter"]`, streamOf(`{}`, point(end, 7)))))
	frame, err := open(t, options(f.URL), query()).Collect(t.Context(), 60)
	if err != nil || frame.Values[0] != 7 {
		t.Errorf("Collect = %v, %v; want 7", frame.Values, err)
	}
}

func TestTroubleThatPasses(t *testing.T) {
	good := answers(load)
	for _, tt := range []struct {
		name  string
		first func(int, question, http.ResponseWriter)
	}{
		{"failure", says(500, "")},
		{"page", says(200, "<html>")},
		{"unavailable", says(503, "")},
		{"broken connection", func(int, question, http.ResponseWriter) { panic(http.ErrAbortHandler) }},
		{"cut off", func(_ int, _ question, w http.ResponseWriter) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, `{"status":"success"`)
			panic(http.ErrAbortHandler)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := serve(t, func(i int, q question, w http.ResponseWriter) {
				if i == 0 {
					tt.first(i, q, w)
					return
				}
				good(i, q, w)
			})
			frame, err := open(t, options(f.URL), query()).Collect(t.Context(), 600)
			if err != nil || frame.Values[9] != load(end.Add(-frame.Step)) {
				t.Errorf("Collect after one %s = %v, %v", tt.name, frame.Values, err)
			}
		})
	}
}

// One read has one second try, however many parts it has.
func TestOneSecondTryPerRead(t *testing.T) {
	tried := map[time.Time]int{}
	f := serve(t, func(i int, q question, w http.ResponseWriter) {
		if tried[q.start]++; tried[q.start] == 1 {
			w.WriteHeader(500)
			return
		}
		answers(load)(i, q, w)
	})
	_, err := open(t, options(f.URL), query()).Collect(t.Context(), 14*86_400)
	if got := len(f.questions()); adapters.Reason(err) != adapters.ReasonServer || got != 3 {
		t.Errorf("Collect = %v after %d questions; want the second part's failure, after 3", err, got)
	}
}

func TestGetWherePostIsForbidden(t *testing.T) {
	good := answers(load)
	for _, status := range []int{403, 405, 501} {
		f := serve(t, func(i int, q question, w http.ResponseWriter) {
			if q.method == http.MethodPost {
				w.WriteHeader(status)
				return
			}
			good(i, q, w)
		})
		if _, err := open(t, options(f.URL), query()).Collect(t.Context(), 600); err != nil {
			t.Errorf("POST answered with %d: %v", status, err)
		}
		for _, q := range f.questions() {
			if q.form.Get("partial_response") != "false" || q.form.Get("deny_partial_response") != "1" || q.form.Get("query") != promQL {
				t.Errorf("%s asked with %v", q.method, q.form)
			}
		}
	}
}

func TestImpossibleSettings(t *testing.T) {
	for _, tt := range []struct {
		spoil func(*prom.Options, *prom.Query)
		text  string
	}{
		{func(o *prom.Options, _ *prom.Query) { o.URL = "ftp://hugo:pa55-word@h" }, "must be http or https"},
		{func(o *prom.Options, _ *prom.Query) { o.URL = "http://hugo:pa55-word@h:x/" }, "must be a URL"},
		{func(o *prom.Options, _ *prom.Query) { o.URL = "http:///prometheus" }, "no host"},
		{func(o *prom.Options, _ *prom.Query) { o.URL = "" }, "http"},
		{func(o *prom.Options, _ *prom.Query) { o.URL = "http://h/#/graph" }, "a # in it"},
		{func(o *prom.Options, _ *prom.Query) { o.Token.Value = token }, "one of them"},
		{func(o *prom.Options, _ *prom.Query) { o.Username = userinfo }, "one of them"},
		{func(o *prom.Options, _ *prom.Query) { o.Timeout = -1 }, "must not be negative"},
		{func(o *prom.Options, _ *prom.Query) { o.Headers = map[string]string{"Authorization": "x"} }, "given as token"},
		{func(o *prom.Options, _ *prom.Query) { o.Headers = map[string]string{"Host": "x"} }, "cannot be set"},
		{func(o *prom.Options, _ *prom.Query) { o.Headers = map[string]string{"X Y": "x"} }, "must be letters"},
		{func(o *prom.Options, _ *prom.Query) { o.Headers = map[string]string{"": "x"} }, "must have a name"},
		{func(o *prom.Options, _ *prom.Query) { o.Headers = map[string]string{"X": "acme\r\nY: z"} }, "control character"},
		{func(o *prom.Options, _ *prom.Query) { o.URL = "http://h"; o.Token.Value = token + "\nX: y" }, "control character"},
		{func(o *prom.Options, _ *prom.Query) { o.URL = "http://h"; o.Token.File = "/does/not/exist" }, "no such file"},
		{func(o *prom.Options, _ *prom.Query) { o.URL = "http://h"; o.Password.Value = password }, "without a user"},
		{func(o *prom.Options, _ *prom.Query) {
			o.URL = "http://h"
			o.Token = prom.Secret{Value: token, File: "/x"}
		}, "must be one of them"},
		{func(_ *prom.Options, q *prom.Query) { q.PromQL = " " }, "no query"},
		{func(_ *prom.Options, q *prom.Query) { q.Metric = "" }, "no name"},
		{func(_ *prom.Options, q *prom.Query) { q.Step = time500ms }, "whole seconds"},
		{func(_ *prom.Options, q *prom.Query) { q.Settle = -1 }, "must not be negative"},
		{func(_ *prom.Options, q *prom.Query) { q.Aggregate = "avg" }, "must be empty, sum, max or min"},
	} {
		o, q := options("http://h"), query()
		tt.spoil(&o, &q)
		server, err := prom.NewServer(o)
		if err == nil {
			_, err = server.Adapter(q)
		}
		if err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%v; want an error with %q", err, tt.text)
			continue
		}
		discreet(t, err.Error())
	}
}

const time500ms = 500_000_000
