//go:build e2e

package cluster

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kedastral/kedastral/e2e/cluster/plane"
)

// here is the home that all tests share; TestMain opens it before the first.
var here *home

func TestMain(m *testing.M) {
	flag.Parse()
	ctrllog.SetLogger(logr.Discard())
	os.Exit(run(m, os.Stdout))
}

func run(m *testing.M, out io.Writer) int {
	if os.Getenv("KUBECONFIG") == "" {
		code, outside, err := plane.Isolate()
		if err != nil {
			fmt.Fprintln(out, "e2e:", err)
			return 1
		}
		if outside {
			return code
		}
	}
	began := time.Now()
	h, err := open(context.Background(), out)
	if err != nil {
		fmt.Fprintln(out, "e2e:", err)
		return 1
	}
	here = h
	fmt.Fprintf(out, "e2e: up after %.1f s\n", time.Since(began).Seconds())
	code := m.Run()
	h.memory(out)
	if err := h.close(code != 0); err != nil {
		fmt.Fprintln(out, "e2e:", err)
		code = 1
	}
	fmt.Fprintf(out, "e2e: %.1f s in all\n", time.Since(began).Seconds())
	return code
}
