package forecast

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode"
)

// ProblemType is the media type of a [Problem].
const ProblemType = "application/problem+json"

// Problem is an answer that is not the one asked for, as RFC 9457 writes it.
type Problem struct {
	Type     string `json:"type"`               // about:blank: the status says it all
	Title    string `json:"title"`              // the status in words
	Status   int    `json:"status"`             // the HTTP status, again
	Detail   string `json:"detail,omitempty"`   // a reason a person can act on
	Instance string `json:"instance,omitempty"` // the id of the request, to find it in the log
}

// NewProblem is the problem with the status and detail.
func NewProblem(status int, detail string) Problem {
	return Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail}
}

// ProblemOf is the problem an error of a [Reader] is answered with. An error
// that is none of the sentinels is the forecaster's own affair, so its text
// stays in its log.
func ProblemOf(err error) Problem {
	status := Status(err)
	if status == http.StatusInternalServerError {
		return NewProblem(status, "internal error; the forecaster's log says more")
	}
	return NewProblem(status, err.Error())
}

// Write answers with the problem.
func (p Problem) Write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", ProblemType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Del("ETag")
	w.WriteHeader(p.Status)
	//nolint:errcheck,errchkjson // the client has gone; nobody is left to be told
	json.NewEncoder(w).Encode(p)
}

// Status is the HTTP status that stands for the error of a [Reader].
func Status(err error) int {
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, ErrMalformed):
		return http.StatusBadRequest
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, ErrElsewhere):
		return http.StatusMisdirectedRequest
	case errors.Is(err, ErrNotReady):
		return http.StatusServiceUnavailable
	case errors.Is(err, ErrBusy):
		return http.StatusTooManyRequests
	default:
		return http.StatusInternalServerError
	}
}

// FromStatus is the error that a status and its detail stand for, nil for
// 200. It wraps the sentinel that [Status] turned into the status.
func FromStatus(status int, detail string) error {
	sentinels := map[int]error{
		http.StatusBadRequest: ErrMalformed, http.StatusNotFound: ErrNotFound, http.StatusServiceUnavailable: ErrNotReady,
		http.StatusUnauthorized: ErrDenied, http.StatusForbidden: ErrDenied,
		http.StatusMisdirectedRequest: ErrElsewhere, http.StatusTooManyRequests: ErrBusy,
	}
	sentinel, known := sentinels[status]
	switch {
	case status == http.StatusOK:
		return nil
	case !known && detail == "":
		return fmt.Errorf("HTTP status %d %s", status, http.StatusText(status))
	case !known:
		return fmt.Errorf("HTTP status %d %s: %s", status, http.StatusText(status), detail)
	case detail == "":
		return sentinel
	}
	// The detail begins with the sentinel's own words when the error did.
	if rest, ok := strings.CutPrefix(detail, sentinel.Error()+": "); ok {
		detail = rest
	}
	return fmt.Errorf("%w: %s", sentinel, detail)
}

// ReadProblem is the error that a response other than 200 stands for. Only a
// problem document speaks for the forecaster: the 404 of a wrong address or
// the 503 of a proxy wraps no sentinel. It reads the body but leaves closing
// it to the caller.
func ReadProblem(resp *http.Response) error {
	const longest = 16 << 10
	body, err := io.ReadAll(io.LimitReader(resp.Body, longest))
	if err != nil {
		return fmt.Errorf("HTTP status %d %s: reading its reason: %w", resp.StatusCode, http.StatusText(resp.StatusCode), err)
	}
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	var p Problem
	if err != nil || media != ProblemType || json.Unmarshal(body, &p) != nil {
		return fmt.Errorf("HTTP status %d %s, and not from a forecaster: %s",
			resp.StatusCode, http.StatusText(resp.StatusCode), shown(string(body)))
	}
	return FromStatus(resp.StatusCode, Plain(p.Detail))
}

// Plain is a stranger's text made fit for one line of a log or a document.
func Plain(s string) string {
	const longest = 300
	runes := []rune(strings.ToValidUTF8(s, "?"))
	if len(runes) > longest {
		runes = append(runes[:longest], '…')
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, string(runes))
}
