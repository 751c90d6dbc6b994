package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kedastral/kedastral/shared/env"
)

// Every variable ends up where the parts read it; one that is missing from the
// table fails the test. What the parts do with it their own tests tell.
func TestEveryVariableArrives(t *testing.T) {
	told := func(more ...string) string {
		vars := minimal()
		for i := 0; i < len(more); i += 2 {
			vars[more[i]] = more[i+1]
		}
		c, err := load(t.Context(), vars)
		if err != nil {
			t.Fatalf("%v: %v", more, err)
		}
		urls, err := c.forecasters()
		if err != nil {
			t.Fatalf("%v: %v", more, err)
		}
		return fmt.Sprintf("namespace:%s urls:%v grpc:%s http:%s lead:%v stale:%v fallback:%d size:%d refresh:%v timeout:%v inflight:%d server:%+v client:%+v auth:%s token:%s rate:%v speed:%v log:%s/%s;",
			c.Namespace, urls, c.GRPCAddr, c.HTTPAddr, c.LeadTime, c.StaleAfter, c.fallback(), c.CacheSize, c.RefreshInterval, c.FetchTimeout,
			c.MaxInFlight, c.serverTLS(), c.forecasterTLS(), c.ForecasterAuth, c.ForecasterTokenFile, c.RateLimit, c.ClockSpeed, c.LogFormat, c.LogLevel)
	}
	plain := told()
	tried := []string{}
	for _, tt := range []struct {
		set  []string
		want string
	}{
		{[]string{"NAMESPACE", "bank"}, "namespace:bank "},
		{[]string{"FORECASTER_URL", "http://other:1"}, "urls:[http://other:1] "},
		{[]string{"SHARD_COUNT", "2", "FORECASTER_URL", "http://f-{ordinal}:1"}, "urls:[http://f-0:1 http://f-1:1] "},
		{[]string{"GRPC_ADDR", ":1"}, "grpc::1 "},
		{[]string{"HTTP_ADDR", ":2"}, "http::2 "},
		{[]string{"LEAD_TIME", "7m"}, "lead:7m0s "},
		{[]string{"STALE_AFTER", "8m"}, "stale:8m0s "},
		{[]string{"FALLBACK_REPLICAS", "9"}, "fallback:9 "},
		{[]string{"CACHE_SIZE", "11"}, "size:11 "},
		{[]string{"REFRESH_INTERVAL", "12s"}, "refresh:12s "},
		{[]string{"FETCH_TIMEOUT", "13s"}, "timeout:13s "},
		{[]string{"MAX_IN_FLIGHT", "14"}, "inflight:14 "},
		{[]string{"TLS_CERT_FILE", "/c", "TLS_KEY_FILE", "/k"}, "server:{Cert:/c Key:/k CA: "},
		{[]string{"TLS_KEY_FILE", "/k", "TLS_CERT_FILE", "/c"}, "server:{Cert:/c Key:/k CA: "},
		{[]string{"TLS_CLIENT_CA_FILE", "/a", "TLS_CERT_FILE", "/c", "TLS_KEY_FILE", "/k"}, "server:{Cert:/c Key:/k CA:/a "},
		{[]string{"FORECASTER_CA_FILE", "/a", "FORECASTER_URL", "https://f"}, "client:{Cert: Key: CA:/a "},
		{[]string{"FORECASTER_CERT_FILE", "/c", "FORECASTER_KEY_FILE", "/k", "FORECASTER_URL", "https://f"}, "client:{Cert:/c Key:/k "},
		{[]string{"FORECASTER_KEY_FILE", "/k", "FORECASTER_CERT_FILE", "/c", "FORECASTER_URL", "https://f"}, "client:{Cert:/c Key:/k "},
		{[]string{"FORECASTER_SERVER_NAME", "me", "FORECASTER_URL", "https://f"}, "ServerName:me}"},
		{[]string{"FORECASTER_AUTH", "token", "FORECASTER_TOKEN_FILE", "/t"}, "auth:token "},
		{[]string{"FORECASTER_TOKEN_FILE", "/t", "FORECASTER_AUTH", "token"}, "token:/t "},
		{[]string{"RATE_LIMIT", "16"}, "rate:16 "},
		{[]string{"TLS_CLIENT_NAMES", "keda,operator", "TLS_CLIENT_CA_FILE", "/a", "TLS_CERT_FILE", "/c", "TLS_KEY_FILE", "/k"}, "ClientNames:keda,operator "},
		{[]string{"CLOCK_SPEED", "15"}, "speed:15 "},
		{[]string{"LOG_FORMAT", "json"}, "log:json/"},
		{[]string{"LOG_LEVEL", "debug"}, "/debug;"},
	} {
		tried = append(tried, tt.set[0])
		if got := told(tt.set...); !strings.Contains(got, tt.want) || strings.Contains(plain, tt.want) {
			t.Errorf("%v: the parts are told\n%s\nwant %q, which without it is not\n%s", tt.set, got, tt.want, plain)
		}
	}
	for _, name := range env.Names(config{}) {
		if !slices.Contains(tried, name) {
			t.Errorf("nothing shows that %s arrives", name)
		}
	}
}
