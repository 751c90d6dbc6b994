package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kedastral/kedastral/e2e/process/processtest"
	"github.com/kedastral/kedastral/shared/redistest"
)

var update = flag.Bool("update", false, "write what is made from rules.yaml")

const (
	rulesDir  = "../manifests/kustomize/components/monitoring/rules"
	dashboard = "../manifests/kustomize/components/monitoring/dashboard/kedastral.json"
	runbooks  = "../docs/runbooks.md"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The operator's resource holds the very rules that promtool checks and tests.
func TestPrometheusRuleIsMadeFromTheRules(t *testing.T) {
	t.Parallel()
	var made strings.Builder
	made.WriteString("# Made from rules.yaml: go test ./e2e -run PrometheusRule -update\napiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n" +
		"metadata:\n  name: kedastral\n  labels: {app.kubernetes.io/name: kedastral}\nspec:\n")
	for line := range strings.Lines(read(t, filepath.Join(rulesDir, "rules.yaml"))) {
		switch {
		case strings.HasPrefix(line, "#"):
		case line == "\n":
			made.WriteString(line)
		default:
			made.WriteString("  " + line)
		}
	}
	path := filepath.Join(rulesDir, "prometheusrule.yaml")
	if *update {
		if err := os.WriteFile(path, []byte(made.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if read(t, path) != made.String() {
		t.Errorf("%s is not made from rules.yaml: go test ./e2e -run PrometheusRule -update", path)
	}
}

// promtool finds nothing wrong with the rules, and every test of them holds.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"check", "rules", "--lint=all", "rules.yaml"}, {"test", "rules", "tests.yaml", "tests-days.yaml"}} {
		command := exec.CommandContext(t.Context(), tool(t, "promtool"), args...)
		command.Dir = rulesDir
		out, err := command.CombinedOutput()
		if err != nil {
			t.Errorf("promtool %s: %v", strings.Join(args, " "), err)
		}
		t.Logf("promtool %s\n%s", strings.Join(args, " "), out)
	}
}

// Every alert has a test in which it fires and one in which it does not, and a
// section of the runbooks that its annotation leads to.
func TestEveryAlertIsTestedAndHasARunbook(t *testing.T) {
	t.Parallel()
	rules, tests, book := read(t, filepath.Join(rulesDir, "rules.yaml")), read(t, filepath.Join(rulesDir, "tests.yaml"))+read(t, filepath.Join(rulesDir, "tests-days.yaml")), read(t, runbooks)
	alerts := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(rules, -1)
	urls := regexp.MustCompile(`(?m)^ +runbook_url: (\S+)$`).FindAllStringSubmatch(rules, -1)
	if len(alerts) < 10 || len(urls) != len(alerts) {
		t.Fatalf("%d alerts and %d runbook_url; want one each, of many", len(alerts), len(urls))
	}
	headings := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?m)^## (\w+)$`).FindAllStringSubmatch(book, -1) {
		headings[found[1]] = true
	}
	for i, alert := range alerts {
		name := alert[1]
		if !headings[name] {
			t.Errorf("docs/runbooks.md has no section ## %s", name)
		}
		delete(headings, name)
		if want := "/docs/runbooks.md#" + strings.ToLower(name); !strings.HasSuffix(urls[i][1], want) {
			t.Errorf("runbook_url of %s is %s; want it to end in %s", name, urls[i][1], want)
		}
		if !regexp.MustCompile(`alertname: ` + name + `, exp_alerts: \[\]`).MatchString(tests) {
			t.Errorf("no test in which %s does not fire", name)
		}
		if !regexp.MustCompile(`alertname: ` + name + `\n +exp_alerts:\n +- exp_labels`).MatchString(tests) {
			t.Errorf("no test in which %s fires", name)
		}
	}
	for name := range headings {
		t.Errorf("docs/runbooks.md has a section of %s, which is no alert", name)
	}
}

// expression is a query and where it stands.
type expression struct{ where, query string }

// shown are the queries of the dashboard.
func shown(t *testing.T) []expression {
	t.Helper()
	var board struct {
		Panels []struct {
			ID             int
			Type, Title    string
			GridPos        struct{ X, Y, W, H int }
			Targets        []struct{ Expr string }
			Description    string
			FieldConfig    any
			Datasource     any
			LibraryPanelID any
		}
	}
	if err := json.Unmarshal([]byte(read(t, dashboard)), &board); err != nil {
		t.Fatal(err)
	}
	var found []expression
	ids := map[int]bool{}
	for _, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		if p.Type != "row" && (len(p.Targets) == 0 || p.Description == "") {
			t.Errorf("panel %q has no query or no description", p.Title)
		}
		for _, target := range p.Targets {
			found = append(found, expression{"panel " + p.Title, target.Expr})
		}
	}
	return found
}

// hurried is a query whose variables are filled in as Grafana would, and that
// looks back seconds instead of minutes: the test does not run for longer.
func hurried(query string) string {
	return strings.NewReplacer("$workload", "demo/fast", "$__rate_interval", "1m", "offset 5m", "offset 2s", "offset 30m", "offset 1s").Replace(query)
}

// watching is a server that scrapes the addresses and evaluates the rules. It
// is not the one that the forecaster reads, whose data reaches into the future.
func watching(t *testing.T, addresses ...string) *prometheus {
	t.Helper()
	p := newPrometheus(t)
	rules := filepath.Join(p.dir, "rules.yaml")
	if err := os.WriteFile(rules, []byte(hurried(read(t, filepath.Join(rulesDir, "rules.yaml")))), 0o600); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\nrule_files: [%s]\nscrape_configs: [{job_name: kedastral, static_configs: [{targets: [%s]}]}]\n",
		rules, strings.Join(addresses, ", "))
	if err := os.WriteFile(filepath.Join(p.dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p.run(t)
	return p
}

// ask is the number of series that a query answers with.
func (p *prometheus) ask(ctx context.Context, query string) (int, error) {
	status, _, body, err := processtest.Get(ctx, p.url()+"/api/v1/query?query="+url.QueryEscape(query))
	if err != nil {
		return 0, err
	}
	var answer struct {
		Status, Error string
		Data          struct{ Result []any }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
		return 0, fmt.Errorf("%d %s: %w", status, body, err)
	}
	return len(answer.Data.Result), nil
}

// rule is one of the server's own account of the rules it runs.
type rule struct {
	Name, Query, Health, LastError, State, Type string
}

func (p *prometheus) rules(t *testing.T) []rule {
	t.Helper()
	_, _, body, err := processtest.Get(t.Context(), p.url()+"/api/v1/rules")
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Data struct{ Groups []struct{ Rules []rule } }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, g := range answer.Data.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// Every query of the dashboard and of the rules is answered by a Prometheus
// that scraped the real binaries, with something wherever there should be
// something: a pair with a shared store that works, one workload without a
// history, and a trigger that is not understood.
func TestEveryExpressionIsAnswered(t *testing.T) {
	t.Parallel()
	_, p := newPair(t, forgiving)
	p.forecaster.Kill()
	maps.Copy(p.forecasterEnv, map[string]string{
		"WORKLOADS": "demo/fast,demo/broken", "WORKLOAD_DEMO_FAST_HORIZON": "10m", "FORECAST_METRICS_LEADS": "5m",
		"WORKLOAD_DEMO_BROKEN_QUERY": "nothing_at_all", "WORKLOAD_DEMO_BROKEN_TARGET_PER_POD": "1", "STORE": "redis", "REDIS_URL": "redis://" + redistest.Start(t).Addr,
	})
	for name := range p.forecasterEnv {
		if strings.HasPrefix(name, "WORKLOAD_DEMO_WEB_") {
			delete(p.forecasterEnv, name)
		}
	}
	p.startForecaster(t)
	watch := watching(t, p.forecasterHTTP, p.scalerHTTP)
	p.fresh(t, "fast", 30*time.Second)
	for _, asked := range []struct {
		name     string
		metadata map[string]string
	}{{"fast", map[string]string{"leadtime": "5m"}}, {"nobody", nil}} {
		if answer, err := p.ask(t, asked.name, asked.metadata); err == nil {
			t.Errorf("asked for %s with %v: %+v; want a refusal", asked.name, asked.metadata, answer)
		}
	}

	expressions := shown(t)
	rules := watch.rules(t)
	for _, r := range rules {
		if r.Type == "recording" {
			expressions = append(expressions, expression{"rule " + r.Name, r.Name}, expression{"rule " + r.Name, r.Query})
			continue
		}
		// What an alert says is in its tests; here, that what it looks at is there.
		for _, selector := range regexp.MustCompile(`(?:\w+:)?kedastral_\w+(?::\w+)?(?:{[^}]*})?`).FindAllString(r.Query, -1) {
			expressions = append(expressions, expression{"alert " + r.Name, selector})
		}
	}
	if len(rules) < 15 || len(expressions) < 60 {
		t.Fatalf("%d rules and %d expressions; want them all", len(rules), len(expressions))
	}
	for _, x := range expressions {
		if strings.Contains(x.query, `reason=~"panic`) {
			continue // no model here breaks; that there are errors is seen below
		}
		processtest.Eventually(t, 90*time.Second, x.where+": "+x.query, func() error {
			n, err := watch.ask(t.Context(), hurried(x.query))
			if err == nil && n == 0 {
				err = errors.New("no result")
			}
			return err
		})
	}
	t.Logf("%d expressions of %d panels and rules were answered", len(expressions), len(shown(t))+len(rules))
	watch.alerts(t, func() {
		if _, err := p.ask(t, "fast", map[string]string{"leadtime": "5m"}); err == nil {
			t.Error("asked with leadtime: an answer; want a refusal")
		}
	})
}

// alerts are those and no others that the pair gives reason for, with a
// trigger that goes on to misask.
func (p *prometheus) alerts(t *testing.T, misask func()) {
	t.Helper()
	want := map[string]bool{"KedastralForecastMissing": true, "KedastralSourceDown": true, "KedastralScalerMisasked": true}
	mayBe := map[string]bool{"KedastralForecastUnskilled": true, "KedastralForecastTooLow": true, "KedastralScalerSlow": true, "KedastralForecasterOverloaded": true} // of a machine this busy
	processtest.Eventually(t, 30*time.Second, "the alerts of a workload without history", func() error {
		misask()
		for _, r := range p.rules(t) {
			if r.Health == "err" {
				t.Errorf("%s: %s", r.Name, r.LastError)
			}
			if r.Type == "alerting" && !mayBe[r.Name] && (r.State != "inactive") != want[r.Name] {
				return fmt.Errorf("%s is %s", r.Name, r.State)
			}
		}
		return nil
	})
}
