package forecast_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/kedastral/kedastral/shared/forecast"
)

func TestParseWorkload(t *testing.T) {
	for _, tt := range []struct{ workload, namespace, name string }{
		{"shop/checkout", "shop", "checkout"},
		{"1/2", "1", "2"},
		{"a-b/c-d.e.f-1", "a-b", "c-d.e.f-1"},
		{strings.Repeat("n", 63) + "/" + strings.Repeat("x", 253), strings.Repeat("n", 63), strings.Repeat("x", 253)},
	} {
		namespace, name, err := forecast.ParseWorkload(tt.workload)
		if err != nil || namespace != tt.namespace || name != tt.name {
			t.Errorf("ParseWorkload(%q) = %q, %q, %v", tt.workload, namespace, name, err)
		}
	}
}

func TestParseWorkloadRefusesHostileNames(t *testing.T) {
	for _, workload := range []string{
		"", "/", "shop", "shop/", "/checkout", "shop/a/b", "shop//a", "shop\\a",
		"../../etc/passwd", "../a", "shop/..", "shop/.", "shop/a..b", "shop/.a", "shop/a.", "./a",
		"shop/%00", "shop/a%2fb", "shop/a\x00", "shop/a\n", "\nshop/a", "shop/a\r\nX-Evil: 1", "shop/\x1b[31mred", "shop/a b", " shop/a", "shop/a\t",
		"Shop/a", "shop/A", "shop/a_b", "-shop/a", "shop-/a", "shop/-a", "shop/a-", "shop/a.-b", "shop.x/a",
		"shop/сheckout", "shop/checkout\u200b", "shop/ａ", "shoρ/a", "shop/\u202ea", "shop/é", "shop/\xff\xfe", "shop∕a", "shop/ⅰ",
		"shop/<script>", `shop/"};`, "shop/{{a}}", "shop/$(id)", "shop/*",
		strings.Repeat("n", 64) + "/a", "a/" + strings.Repeat("x", 254), "a/" + strings.Repeat("x", 1<<20), strings.Repeat("/", 1<<20),
	} {
		namespace, name, err := forecast.ParseWorkload(workload)
		if !errors.Is(err, forecast.ErrMalformed) || namespace != "" || name != "" {
			t.Errorf("ParseWorkload(%.80q) = %q, %q, %v; want ErrMalformed", workload, namespace, name, err)
			continue
		}
		text := err.Error()
		if len(text) > 600 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' && r != '…' }) {
			t.Errorf("ParseWorkload(%.80q) = %.800s; want a short error fit for a log", workload, text)
		}
	}
}

// A name that passes has no byte that means anything to a path, a log, a
// label or a header, and is put together again from its two parts.
func FuzzParseWorkload(f *testing.F) {
	for _, seed := range []string{"shop/checkout", "a/b.c-d", "../a", "shop/%00", "shop/\u202ea", "a/b/c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, workload string) {
		namespace, name, err := forecast.ParseWorkload(workload)
		if err != nil {
			if !errors.Is(err, forecast.ErrMalformed) {
				t.Fatalf("ParseWorkload(%q) = %v; want ErrMalformed", workload, err)
			}
			return
		}
		if namespace+"/"+name != workload || len(namespace) > 63 || len(name) > 253 || strings.Contains(name, "..") ||
			strings.Trim(workload, "abcdefghijklmnopqrstuvwxyz0123456789-./") != "" {
			t.Fatalf("ParseWorkload(%q) = %q, %q", workload, namespace, name)
		}
	})
}
