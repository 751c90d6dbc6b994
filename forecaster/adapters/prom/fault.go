package prom

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kedastral/kedastral/forecaster/adapters"
)

// fault is a failed read, told as what came from where.
func (a *Adapter) fault(class error, reason, came string) error {
	return &adapters.Fault{
		Class: class, Reason: reason,
		Text: a.query.Metric + ": Prometheus at " + a.server.host + ": " + came,
	}
}

// cause is an error without the URL that net/http and net/url put around it.
func cause(err error) error {
	for {
		var u *url.Error
		if !errors.As(err, &u) {
			return err
		}
		err = u.Err
	}
}

// broken is the fault of a question that got no whole response.
func (a *Adapter) broken(ctx context.Context, err error) error {
	var fault *adapters.Fault
	err = cause(err)
	if errors.As(err, &fault) { // one of our own, from the transport
		return a.fault(fault.Class, fault.Reason, fault.Text)
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	reason, came, class := diagnose(err)
	broken := a.fault(class, reason, came)
	if ctx.Err() != nil && errors.As(broken, &fault) {
		fault.Cause = ctx.Err()
	}
	return broken
}

// diagnose names what broke. It repeats only texts that are made here, not
// what the other side sent.
func diagnose(err error) (reason, came string, class error) {
	var (
		name    *net.DNSError
		trust   *tls.CertificateVerificationError
		checked untrustedError
		plain   tls.RecordHeaderError
		network net.Error
		op      *net.OpError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return adapters.ReasonCanceled, "the question was given up", adapters.ErrTransient
	case errors.As(err, &name):
		return adapters.ReasonDNS, "the name does not resolve" + remark(name.IsNotFound, "no such host"), adapters.ErrTransient
	case errors.As(err, &trust):
		return adapters.ReasonTLS, "its certificate is not trusted: " + untrusted(trust.Err), adapters.ErrConfig
	case errors.As(err, &checked):
		return adapters.ReasonTLS, "its certificate is not trusted: " + untrusted(checked.error), adapters.ErrConfig
	case errors.As(err, &plain):
		return adapters.ReasonTLS, "it does not speak TLS; is it http?", adapters.ErrConfig
	case errors.As(err, &op) && op.Op == "remote error":
		return adapters.ReasonTLS, "it ended the TLS handshake: " + op.Err.Error(), adapters.ErrConfig
	case errors.As(err, &network) && network.Timeout():
		return adapters.ReasonTimeout, "no answer in time", adapters.ErrTransient
	case errors.As(err, &op):
		return adapters.ReasonUnreachable, op.Op + ": " + root(op.Err), adapters.ErrTransient
	case strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return adapters.ReasonTLS, "it does not speak TLS; is it http?", adapters.ErrConfig
	case strings.Contains(err.Error(), "EOF"), strings.Contains(err.Error(), "closed"):
		return adapters.ReasonUnreachable, "the connection broke off", adapters.ErrTransient
	}
	return adapters.ReasonBadResponse, "an answer that is not HTTP as it should be", adapters.ErrTransient
}

// untrusted names what is wrong with a certificate.
func untrusted(err error) string {
	var (
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		host      x509.HostnameError
	)
	switch {
	case errors.As(err, &authority):
		return "signed by an unknown authority; the CA bundle must hold the one that signed it"
	case errors.As(err, &invalid):
		return invalid.Error()
	case errors.As(err, &host):
		return "it is for another host name than " + strconv.Quote(host.Host)
	}
	return err.Error()
}

// root is the innermost error: connection refused, connection reset by peer.
func root(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

func remark(holds bool, text string) string {
	if holds {
		return ": " + text
	}
	return ""
}

// refused is the fault of a response that is not 200.
func (a *Adapter) refused(resp *http.Response, body []byte) error {
	code := resp.StatusCode
	status := strconv.Itoa(code)
	var e envelope
	if !slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden}, code) {
		_ = json.Unmarshal(body, &e) // a proxy's page has no reason to give
	}
	said := a.said(e.ErrorType, e.Error)
	switch {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return a.fault(adapters.ErrConfig, adapters.ReasonAuth, "it refuses the credentials (status "+status+")")
	case code/100 == 3:
		return a.fault(adapters.ErrConfig, adapters.ReasonRedirect, "a redirect"+a.target(resp)+", which is not followed: the address must be the final one")
	case code == http.StatusTooManyRequests:
		return a.fault(adapters.ErrTransient, adapters.ReasonRateLimited, "it is asked too much (status 429)"+said)
	case code == http.StatusRequestTimeout:
		return a.fault(adapters.ErrTransient, adapters.ReasonTimeout, "it waited too long for the question (status 408)")
	case code == http.StatusNotFound, code == http.StatusMethodNotAllowed:
		return a.fault(adapters.ErrConfig, adapters.ReasonConfig, "status "+status+": the address must be Prometheus's, with the path it lives under")
	case code/100 == 4:
		return a.fault(adapters.ErrConfig, adapters.ReasonConfig, "it refuses the query (status "+status+")"+said)
	case code/100 == 5:
		return a.fault(adapters.ErrTransient, adapters.ReasonServer, "it failed (status "+status+")"+said)
	}
	return a.fault(adapters.ErrTransient, adapters.ReasonBadResponse, "an answer of status "+status)
}

// target is where a redirect leads, as far as it may be shown.
func (a *Adapter) target(resp *http.Response) string {
	u, err := resp.Location()
	if err != nil || u.Host == "" || a.hides(u.Host) || len(u.Host) > 253 {
		return ""
	}
	return fmt.Sprintf(" to %q", u.Scheme+"://"+u.Host)
}

var (
	word     = regexp.MustCompile(`[\pL\pN_:.\-]{3,}`)
	position = regexp.MustCompile(`\b(\d{1,6}):(\d{1,6})\b`)
	kind     = regexp.MustCompile(`^[a-z_]{1,30}$`)
)

// said repeats what the source gave as its reason, unless that repeats
// something of the query or of the credentials; then only the place in the
// query that it points at.
func (a *Adapter) said(errorType, text string) string {
	out := ""
	if kind.MatchString(errorType) && !a.hides(errorType) {
		out = ", " + errorType
	}
	const longest = 200
	switch at := position.FindStringSubmatch(text); {
	case text != "" && len(text) <= longest && !a.hides(text):
		return out + ": " + strconv.Quote(text)
	case at != nil:
		return out + a.place(at)
	}
	return out
}

// place is a position in the query, less the line that an aggregate adds.
func (a *Adapter) place(at []string) string {
	line, _ := strconv.Atoi(at[1])
	if a.query.Aggregate != "" {
		line--
	}
	return fmt.Sprintf(", at line %d, column %s of the query", line, at[2])
}

// hides reports whether a text repeats a word of the query, or a part of one
// whatever it is glued to, or contains a credential or another setting of the
// server.
func (a *Adapter) hides(text string) bool {
	text = strings.ToLower(text)
	for _, w := range word.FindAllString(text, -1) {
		if strings.Contains(a.private, w) {
			return true
		}
	}
	for _, w := range word.FindAllString(a.private, -1) {
		if strings.Contains(text, w) {
			return true
		}
	}
	const telling = 6 // characters in a row that are of the query and not by chance
	for i := 0; i+telling <= len(text); i++ {
		if strings.Contains(a.private, text[i:i+telling]) {
			return true
		}
	}
	return a.server.hides(text)
}
