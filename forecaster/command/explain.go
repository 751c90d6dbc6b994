package command

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kedastral/kedastral/forecaster/engine"
	"github.com/kedastral/kedastral/shared/env"
	"github.com/kedastral/kedastral/shared/forecast"
	"github.com/kedastral/kedastral/shared/tlsconfig"
)

const (
	explainPatience = 15 * time.Second
	longestAnswer   = 8 << 20 // an explanation tells every step of the longest plan
)

// Explain asks a running forecaster why a workload's count is what it is, or
// why there is none, and prints what it says: a sentence, then the numbers.
func (c Command) Explain(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("forecaster explain", flag.ContinueOnError)
	f.SetOutput(c.Stderr)
	workload := f.String("workload", "", "workload to explain, NAMESPACE/NAME")
	address := f.String("url", "http://localhost:8081", "address of a running forecaster, with its path if any")
	lead := 5 * time.Minute
	f.Func("lead", "lead time of the scaler to explain the count for (default 5m)", func(text string) (err error) {
		lead, err = env.ParseDuration(text)
		return err
	})
	asJSON := f.Bool("json", false, "print the answer as JSON, with the plan step by step")
	files := tlsconfig.Files{}
	f.StringVar(&files.CA, "ca", "", "PEM file of the authorities that issue its certificate; by default the system's")
	f.StringVar(&files.Cert, "cert", "", "PEM file of the certificate shown to it")
	f.StringVar(&files.Key, "key", "", "PEM file of that certificate's key")
	f.StringVar(&files.ServerName, "server-name", "", "name its certificate must bear, where it is not the host of the address or that is an IP address; with -ca")
	if help, err := parse(f, args); help || err != nil {
		return err
	}
	if _, _, err := forecast.ParseWorkload(*workload); err != nil {
		return fmt.Errorf("%w: -workload %q: must be NAMESPACE/NAME", ErrUsage, *workload)
	}
	if lead < 0 {
		return fmt.Errorf("%w: -lead %s: must not be negative", ErrUsage, env.FormatDuration(lead))
	}
	at, err := explainURL(*address, *workload, lead)
	if err != nil {
		return err
	}
	client, err := explainClient(files)
	if err != nil {
		return err
	}
	body, err := ask(ctx, client, at)
	if err != nil {
		return fmt.Errorf("asking the forecaster at %s: %w", *address, err)
	}
	if *asJSON {
		_, err := fmt.Fprintf(c.Stdout, "%s\n", body)
		return err
	}
	var x engine.Explanation
	if err := json.Unmarshal(body, &x); err != nil || x.Summary == "" {
		return fmt.Errorf("asking the forecaster at %s: its answer is not an explanation: %w", *address, errors.Join(err, errors.New("is this a forecaster, and of this version?")))
	}
	return c.explanation(x)
}

func explainURL(address, workload string, lead time.Duration) (string, error) {
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return "", fmt.Errorf("%w: -url %q: must be http://HOST:PORT or https://HOST:PORT", ErrUsage, address)
	}
	at := base.JoinPath("forecast", "explain")
	at.RawQuery = url.Values{"workload": {workload}, "lead": {lead.String()}}.Encode()
	return at.String(), nil
}

func explainClient(files tlsconfig.Files) (*http.Client, error) {
	secure, err := tlsconfig.ClientOrNone(files, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, fmt.Errorf("%w: TLS: %w", ErrUsage, err)
	}
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: secure}, Timeout: explainPatience}, nil
}

// ask is the body of a 200; any other answer is its problem.
func ask(ctx context.Context, client *http.Client, at string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, forecast.ReadProblem(resp)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer+1))
	if len(body) > longestAnswer {
		return nil, fmt.Errorf("the answer is longer than %d bytes", longestAnswer)
	}
	return body, err
}

// explanation prints the words of the API, which are those of the page.
func (c Command) explanation(x engine.Explanation) error {
	if _, err := fmt.Fprintf(c.Stdout, "%s: %s\n\n", x.Workload, x.Summary); err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
	for _, line := range x.Table {
		fmt.Fprintln(w, strings.TrimRight("  "+line.Name+"\t"+line.Value+"\t"+line.Note, "\t"))
	}
	for _, warning := range x.Warnings {
		fmt.Fprintf(w, "  Warning\t%s\n", warning)
	}
	return w.Flush()
}
