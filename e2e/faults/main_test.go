package faults_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// binaries is where forecaster and scaler are: those of this tree, unless
// FAULTS_BIN names others.
var binaries string

// results are the report of this run.
var results = &report{began: time.Now()}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(witnessCalls) != "" {
		fmt.Fprintln(os.Stderr, testify())
		return 1
	}
	if binaries = os.Getenv("FAULTS_BIN"); binaries == "" {
		dir, err := os.MkdirTemp("", "kedastral-faults-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if err := build(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		binaries = dir
	}
	end := func() error { return nil }
	if path := os.Getenv("FAULTS_ANSWERS"); path != "" {
		var err error
		if end, err = results.record(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	code := m.Run()
	if err := end(); err != nil {
		fmt.Fprintln(os.Stderr, "writing the log of answers:", err)
		code = 1
	}
	if missing := results.missing(); len(missing) > 0 && flag.Lookup("test.run").Value.String() == "" {
		fmt.Fprintln(os.Stderr, "no row of the report is about:", missing)
		code = 1
	}
	if err := results.write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "writing the report:", err)
		return 1
	}
	return code
}

// build makes both binaries, as they are or with an overlay.
func build(dir string, flags ...string) error {
	command := patient(append(append([]string{"go", "build", "-o", dir}, flags...), "./forecaster", "./scaler")...)
	command.Dir = filepath.Join("..", "..")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("building the binaries: %w\n%s", err, out)
	}
	return nil
}
