package byom

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kedastral/kedastral/forecaster/features"
	"github.com/kedastral/kedastral/forecaster/models"
)

// What crosses the wire is bounded both ways.
const (
	maxRequest     = 16 << 20
	maxReply       = 16 << 20
	defaultTimeout = 5 * time.Second
	maxTimeout     = 2 * time.Minute
)

// client asks a service.
type client struct {
	url   string
	token string
	http  *http.Client
}

// newClient checks where to ask. Redirects are not followed: a service that
// moved must be told, for neither history nor token may go where the
// configuration does not say.
func newClient(s models.Service) (*client, error) {
	u, err := url.Parse(s.URL)
	timeout := s.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("url of the model's service: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("url=%q of the model's service: must be http or https with a host", s.URL)
	case u.User != nil:
		return nil, fmt.Errorf("url of the model's service at %s: must not carry credentials, use a token", u.Host)
	case strings.ContainsAny(s.Token, "\r\n"):
		return nil, errors.New("token of the model's service: must be one line")
	case timeout < 0 || timeout > maxTimeout:
		return nil, fmt.Errorf("timeout=%v of the model's service: must be positive and at most %v", timeout, maxTimeout)
	}
	return &client{url: s.URL, token: s.Token, http: &http.Client{
		Timeout:       timeout,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: timeout},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// ask gets a forecast from each origin.
func (c *client) ask(ctx context.Context, frame features.Frame, origins []int, levels []float64) (reply, error) {
	body, err := request(frame, origins, levels)
	if err != nil {
		return reply{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return reply{}, fmt.Errorf("asking the model's service: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return reply{}, fmt.Errorf("asking the model's service: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return reply{}, fmt.Errorf("the model's service answered %s, must be 200: %w", res.Status, ErrReply)
	}
	r, err := decode(res.Body, len(origins), frame.Horizon, levels)
	if err != nil {
		return reply{}, fmt.Errorf("the model's service: %w", err)
	}
	return r, nil
}
