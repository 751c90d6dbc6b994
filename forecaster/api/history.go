package api

import (
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/kedastral/kedastral/forecaster/history"
	"github.com/kedastral/kedastral/shared/env"
)

// Past is who remembers what was observed and forecast.
type Past interface {
	Report(workload string, q history.Query) (history.Report, error)
}

//go:embed openapi.json
var openAPI []byte

// openapi answers GET /openapi.json.
func (a *api) openapi(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	write(w, openAPI)
}

// history answers GET /forecast/history.
func (a *api) history(w http.ResponseWriter, r *http.Request) {
	workload, err := asked(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	query, err := pastOf(r.URL.Query(), a.Now())
	if err != nil {
		problem(w, r, http.StatusBadRequest, err.Error())
		return
	}
	report, err := a.Past.Report(workload, query)
	switch {
	case errors.Is(err, history.ErrQuery):
		problem(w, r, http.StatusBadRequest, err.Error())
	case err != nil:
		a.fail(w, r, err)
	default:
		a.reply(w, r, report)
	}
}

// pastOf is the part of the past that a request asks for.
func pastOf(values url.Values, now time.Time) (history.Query, error) {
	q := history.Query{Now: now, Points: history.DefaultPoints}
	if text := values.Get("window"); text != "" {
		d, err := env.ParseDuration(text)
		if err != nil || d == 0 {
			return q, fmt.Errorf("window=%q: must be a duration such as 90m, 6h or 1d", shortened(text))
		}
		q.Window = d
	}
	if text := values.Get("points"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return q, fmt.Errorf("points=%q: must be a whole number", shortened(text))
		}
		q.Points = n
	}
	return q, nil
}

// shortened is a stranger's text made fit for an answer.
func shortened(text string) string { return text[:min(len(text), 40)] }
