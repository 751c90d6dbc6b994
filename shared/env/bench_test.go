package env_test

import (
	"testing"

	"github.com/kedastral/kedastral/shared/env"
)

func BenchmarkLoad(b *testing.B) {
	vars := env.Vars{"SOURCE_URL": "http://p", "STEP": "1m", "WINDOW": "7d"}
	for b.Loop() {
		if err := env.Load(b.Context(), vars, new(config)); err != nil {
			b.Fatal(err)
		}
	}
}
