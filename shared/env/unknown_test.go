package env_test

import (
	"testing"

	"github.com/kedastral/kedastral/shared/env"
)

func TestUnknown(t *testing.T) {
	prefixes := []string{"WORKLOAD_", "DEFAULT_", "PROMETHEUS_"}
	known := []string{"WORKLOADS", "WORKLOAD_A_QUERY", "DEFAULT_MODEL", "PROMETHEUS_URL", "STALE_AFTER", "MAX_AGE", "PROMETHEUS_PORT"}
	for _, tt := range []struct{ name, value, want string }{
		{"WORKLOAD_A_QUERY", "up", ""},
		{"WORKLOAD_A_QUREY", "up", "WORKLOAD_A_QUREY: unknown variable; did you mean WORKLOAD_A_QUERY?"},
		{"DEFAULT_MODLE", "hunter2", "DEFAULT_MODLE: unknown variable; did you mean DEFAULT_MODEL?"},
		{"default_model", "auto", "default_model: unknown variable; did you mean DEFAULT_MODEL?"},
		{"DEFAULT_COLOUR_OF_BIKESHED", "red", "DEFAULT_COLOUR_OF_BIKESHED: unknown variable"},
		{"DEFAULT_MODLE", " ", ""}, // blank is unset
		// Beside the prefixes, one slip of the finger.
		{"WORKLOAD", "shop/a", "WORKLOAD: unknown variable; did you mean WORKLOADS?"},
		{"PROMETEHUS_URL", "http://p", "PROMETEHUS_URL: unknown variable; did you mean PROMETHEUS_URL?"},
		{"STALE_AFTR", "5m", "STALE_AFTR: unknown variable; did you mean STALE_AFTER?"},
		{"MAX_PAGE", "5", ""}, // too short to tell
		{"HTTP_PROXY", "http://proxy", ""},
		{"PATH", "/bin", ""},
		// What Kubernetes sets for Services called prometheus, workload-a and default-db.
		{"PROMETHEUS_SERVICE_HOST", "10.0.0.1", ""},
		{"PROMETHEUS_SERVICE_PORT", "9090", ""},
		{"PROMETHEUS_SERVICE_PORT_WEB", "9090", ""},
		{"WORKLOAD_A_PORT", "tcp://10.0.0.1:80", ""},
		{"DEFAULT_DB_PORT_5432_TCP", "tcp://[fd00::1]:5432", ""},
		{"DEFAULT_DB_PORT_5432_TCP", "5432", "DEFAULT_DB_PORT_5432_TCP: unknown variable"},
		{"DEFAULT_DB_PORT_5432_TCP_ADDR", "10.0.0.1", ""},
		{"DEFAULT_DB_PORT_5432_TCP_PORT", "5432", ""},
		{"DEFAULT_DB_PORT_5432_TCP_PROTO", "tcp", ""},
		{"PROMETHEUS_PORT", "9090", ""}, // known
		{"WORKLOAD_A_PORT", "8080", "WORKLOAD_A_PORT: unknown variable"},
	} {
		got := text(env.Unknown(env.Vars{tt.name: tt.value}, prefixes, known...))
		if got != tt.want && (tt.want == "" || len(got) < len(tt.want) || got[:len(tt.want)] != tt.want) {
			t.Errorf("Unknown(%s=%s) = %q; want %q", tt.name, tt.value, got, tt.want)
		}
	}
}
