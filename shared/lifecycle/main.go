package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"syscall"
)

// Main runs a process until it is done or is told to end by SIGINT or
// SIGTERM, writes its error to stderr, and returns its exit code: 0, or what
// the error's method ExitCode() int says, or 1. A second signal kills.
//
//	func main() { os.Exit(lifecycle.Main(os.Stderr, run)) }
func Main(stderr io.Writer, run func(context.Context) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // from then on a signal does what it does by default

	err := run(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, err)
	if coded, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		return coded.ExitCode()
	}
	return 1
}
