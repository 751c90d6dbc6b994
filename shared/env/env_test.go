package env_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kedastral/kedastral/shared/env"
)

type config struct {
	Addr     string            `env:"HTTP_ADDR, default=:8081" doc:"address the API listens on"`
	URL      *url.URL          `env:"SOURCE_URL, required" doc:"where history comes from"`
	Password string            `env:"SOURCE_PASSWORD" secret:"true"`
	PIN      int               `env:"SOURCE_PIN" secret:"true"`
	Step     time.Duration     `env:"STEP, default=1m"`
	Window   time.Duration     `env:"WINDOW, default=2w"`
	Target   float64           `env:"TARGET"`
	Workers  int               `env:"WORKERS, default=8"`
	Small    int8              `env:"SMALL"`
	Floor    bool              `env:"FLOOR, default=true"`
	Names    []string          `env:"NAMES"`
	Horizons []time.Duration   `env:"HORIZONS, default=1h,1d"`
	Headers  map[string]string `env:"HEADERS"`
	Level    slog.Level        `env:"LEVEL, default=INFO"`
	Lead     *time.Duration    `env:"LEAD"`
	TLS      tlsFiles          `env:", prefix=TLS_"`
	Untagged string
}

type tlsFiles struct {
	Cert string `env:"CERT_FILE"`
}

func (c *config) Validate() error {
	return errors.Join(
		env.Positive("STEP", c.Step), env.Between("WORKERS", c.Workers, 1, 64),
		env.AtLeast("TARGET", c.Target, 0), env.OneOf("HTTP_ADDR", c.Addr, ":8081", ":0"),
	)
}

func TestLoadFillsEveryKindOfField(t *testing.T) {
	var got config
	if err := env.Load(t.Context(), env.Vars{
		"SOURCE_URL": "http://prometheus:9090/base", "SOURCE_PASSWORD": "hunter2", "STEP": " 30s\n", "WINDOW": "1w2d12h",
		"TARGET": "1e3", "WORKERS": "", "FLOOR": "false", "NAMES": "shop/a, shop/b,,\n shop/c,", "HEADERS": "X-Scope-OrgID: shop",
		"LEVEL": "debug", "LEAD": "1d", "TLS_CERT_FILE": "/tls.crt", "UNTAGGED": "x",
	}, &got); err != nil {
		t.Fatalf("Load = %v", err)
	}
	lead := 24 * time.Hour
	want := config{
		Addr: ":8081", URL: &url.URL{Scheme: "http", Host: "prometheus:9090", Path: "/base"}, Password: "hunter2",
		Step: 30 * time.Second, Window: 228 * time.Hour, Target: 1000, Workers: 8, Names: []string{"shop/a", "shop/b", "shop/c"},
		Horizons: []time.Duration{time.Hour, 24 * time.Hour}, Headers: map[string]string{"X-Scope-OrgID": "shop"},
		Level: slog.LevelDebug, Lead: &lead, TLS: tlsFiles{"/tls.crt"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Load: -want +got\n%s", diff)
	}
}

func TestLoadTellsEveryFaultAtOnce(t *testing.T) {
	var c config
	err := env.Load(t.Context(), env.Vars{
		"SOURCE_PIN": "hunter2", "STEP": "-1m", "WINDOW": "2 weeks", "TARGET": "Inf", "WORKERS": "99", "SMALL": "300", "FLOOR": "maybe",
		"HORIZONS": "1h,soon", "HEADERS": "tenant", "LEVEL": "loud", "HTTP_ADDR": "a\x1b[31m",
	}, &c)
	want := `SOURCE_URL: must be set
SOURCE_PIN=***: must be a whole number
WINDOW=2 weeks: must be a duration such as 90s, 5m, 1h30m, 7d or 2w
TARGET=Inf: must be a finite number
SMALL=300: is too large or too small for integer
FLOOR=maybe: must be true or false
HORIZONS=1h,soon: each must be a duration such as 90s, 5m, 1h30m, 7d or 2w
HEADERS=tenant: must be KEY:VALUE, several with a comma between
LEVEL=loud: must be level: slog: level string "loud": unknown name
STEP=-1m: must be positive
WORKERS=99: must be between 1 and 64
HTTP_ADDR="a\x1b[31m": must be one of :8081, :0`
	if diff := cmp.Diff(want, text(err)); diff != "" {
		t.Errorf("Load: -want +got\n%s", diff)
	}
	var coded interface{ ExitCode() int }
	if !errors.As(err, &coded) || coded.ExitCode() != 2 {
		t.Errorf("exit code of %v: want 2", err)
	}
}

func TestLoadRefusesWhatItWouldMisread(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"WORKERS", "010", "must be a whole number"}, // not eight
		{"WORKERS", "0x10", "must be a whole number"},
		{"WORKERS", "1_0", "must be a whole number"},
		{"WORKERS", "1.0", "must be a whole number"},
		{"WORKERS", "99999999999999999999", "too large"},
		{"TARGET", "NaN", "finite"},
		{"TARGET", "1e999", "finite"},
		{"TARGET", "10%", "finite"},
		{"STEP", "60", "duration"}, // sixty what?
		{"STEP", "1m 30s", "duration"},
		{"STEP", "9999999w", "too long"},
		{"SOURCE_URL", "http://me:hunter2@host:port", "invalid port"},
		{"SOURCE_URL", "::", "missing protocol scheme"},
	} {
		vars := env.Vars{"SOURCE_URL": "http://p"}
		vars[tt.name] = tt.value
		got := text(env.Load(t.Context(), vars, new(config)))
		if !strings.HasPrefix(got, tt.name+"=") || !strings.Contains(got, tt.want) || strings.Contains(got, "\n") || strings.Contains(got, "hunter2") {
			t.Errorf("Load(%s=%s) = %q; want one fault saying %q", tt.name, tt.value, got, tt.want)
		}
	}
}

func TestLoadKeepsWhatIsPresetAndUnset(t *testing.T) {
	c := struct {
		A string `env:"A"`
		B string `env:"B, default=b"`
	}{A: "kept", B: "replaced"}
	if err := env.Load(t.Context(), env.Vars{}, &c); err != nil || c.A != "kept" || c.B != "b" {
		t.Errorf("Load = %+v, %v; want A kept, B b", c, err)
	}
}

func TestLoadRefusesStructsItCannotFill(t *testing.T) {
	for _, cfg := range []any{
		nil,
		config{},
		(*config)(nil), new(int),
		&struct {
			a string `env:"A"`
		}{},
		&struct {
			Zone *time.Location `env:"ZONE"`
		}{},
		&struct {
			F string `env:", required"`
		}{},
	} {
		err := env.Load(t.Context(), env.Vars{}, cfg)
		if err == nil {
			t.Errorf("Load into %T = nil", cfg)
		}
		if fault, ok := errors.AsType[env.Fault](err); ok {
			t.Errorf("Load into %T = %v, a fault of the variables", cfg, fault)
		}
	}
}

func TestBlankIsUnset(t *testing.T) {
	var c config
	err := env.Load(t.Context(), env.Vars{"SOURCE_URL": "  ", "STEP": "", "WINDOW": "\n"}, &c)
	if text(err) != "SOURCE_URL: must be set" || c.Step != time.Minute || c.Window != 14*24*time.Hour {
		t.Errorf("Load of blanks = %v, step %v, window %v; want SOURCE_URL unset and defaults", err, c.Step, c.Window)
	}
}

func TestFieldsDescribeTheStruct(t *testing.T) {
	got := env.Fields(config{})
	want := map[string]env.Field{
		"HTTP_ADDR":       {Name: "HTTP_ADDR", Type: "text", Default: ":8081", Doc: "address the API listens on"},
		"SOURCE_URL":      {Name: "SOURCE_URL", Type: "URL", Required: true, Doc: "where history comes from"},
		"SOURCE_PASSWORD": {Name: "SOURCE_PASSWORD", Type: "text", Secret: true},
		"HORIZONS":        {Name: "HORIZONS", Type: "list of duration", Default: "1h,1d"},
		"HEADERS":         {Name: "HEADERS", Type: "map of text to text"},
		"LEAD":            {Name: "LEAD", Type: "duration"},
		"TLS_CERT_FILE":   {Name: "TLS_CERT_FILE", Type: "text"},
	}
	if len(got) != 16 {
		t.Errorf("Fields lists %d variables; want 16", len(got))
	}
	for _, f := range got {
		if w, ok := want[f.Name]; ok {
			delete(want, f.Name)
			if diff := cmp.Diff(w, f); diff != "" {
				t.Errorf("Fields, %s: -want +got\n%s", f.Name, diff)
			}
		}
	}
	for name := range want {
		t.Errorf("Fields lacks %s", name)
	}
}

// The help tells each variable's default, what it is, and the rule that
// Validate holds it to.
func TestHelpTellsTheRules(t *testing.T) {
	var out strings.Builder
	if err := env.WriteHelp(&out, "MY_", config{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  MY_WORKERS=8\n      Must be between 1 and 64.\n",
		"  MY_SOURCE_URL (required)\n      where history comes from",
		"  MY_STEP=1m\n      Must be positive.\n",
		"  MY_HTTP_ADDR=:8081\n      address the API listens on Must be one of :8081, :0.\n",
		"  MY_FLOOR=true\n      Must be true or false.\n",
		"  MY_LEAD (unset)\n      Must be a duration such as 90s,",
		"  MY_TLS_CERT_FILE (unset)\n      \n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the help lacks %q:\n%s", want, &out)
		}
	}
}

func TestFromOS(t *testing.T) {
	t.Setenv("KEDASTRAL_TEST", "a=b")
	if got := env.FromOS()["KEDASTRAL_TEST"]; got != "a=b" {
		t.Errorf("FromOS has KEDASTRAL_TEST=%q; want a=b", got)
	}
	if _, err := exec.LookPath("env"); err != nil && len(env.FromOS()) == 0 {
		t.Error("FromOS is empty")
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Whatever the variables hold, Load neither panics nor shows a secret, what
// it accepts keeps the rules, and what it refuses names a variable.
func FuzzLoad(f *testing.F) {
	f.Add("1m", "8", "100", "http://p", "a,b", "X:y", "debug")
	f.Add("7d", "010", "NaN", "http://a:b@c", ",", ":", "")
	f.Add("-1w1d1h", "0x1", "1e308", "%zz", "\x00", "a:b:c,", "$STEP")
	f.Fuzz(func(t *testing.T, step, workers, target, source, names, headers, level string) {
		const secret = "correct-horse"
		var c config
		err := env.Load(context.Background(), env.Vars{
			"STEP": step, "WORKERS": workers, "TARGET": target, "SOURCE_URL": source, "NAMES": names, "HEADERS": headers, "LEVEL": level,
			"SOURCE_PASSWORD": secret, "SOURCE_PIN": secret,
		}, &c)
		if err == nil || !strings.Contains(err.Error(), "SOURCE_PIN=***") || strings.Contains(err.Error(), secret) {
			t.Fatalf("Load = %v; want the PIN at fault, unseen", err)
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if name, _, ok := strings.Cut(line, ":"); !ok || strings.TrimLeft(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == name {
				t.Fatalf("Load: fault %q names no variable", line)
			}
		}
		if !strings.Contains(err.Error(), "STEP=") && c.Step <= 0 {
			t.Fatalf("Load accepts STEP=%q as %v", step, c.Step)
		}
		if !strings.Contains(err.Error(), "TARGET=") && !(c.Target >= 0) {
			t.Fatalf("Load accepts TARGET=%q as %v", target, c.Target)
		}
	})
}

func TestVariablesThatGoTogetherOrNot(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{env.Together("A", "", "B", ""), ""},
		{env.Together("A", "1", "B", "2"), ""},
		{env.Together("A", "1", "B", ""), "B: must be set together with A"},
		{env.Together("A", "", "B", "2"), "A: must be set together with B"},
		{env.AtMostOne("A", "1", "B", ""), ""},
		{env.AtMostOne("A", "", "B", "2"), ""},
		{env.AtMostOne("A", "1", "B", "2"), "A=1: must not be set together with B"},
		{env.Needs("A", "", "B", ""), ""},
		{env.Needs("A", "1", "B", "2"), ""},
		{env.Needs("A", "1", "B", ""), "A=1: needs B"},
	} {
		if got := fmt.Sprint(tt.err); got != tt.want && (tt.want != "" || tt.err != nil) {
			t.Errorf("%s; want %q", got, tt.want)
		}
	}
}
