package forecast

import "errors"

// The errors that stand in for a snapshot. The API answers each with one HTTP
// status and the client turns the status back, so errors.Is holds across the
// wire.
var (
	// ErrMalformed: the workload's name is not NAMESPACE/NAME. 400.
	ErrMalformed = errors.New("malformed workload name")
	// ErrNotFound: no such workload, or not the caller's. 404.
	ErrNotFound = errors.New("workload not found")
	// ErrNotReady: the workload is known but there is nothing to publish. 503.
	ErrNotReady = errors.New("no forecast yet")
	// ErrDenied: the forecaster does not let the caller in. 401 or 403.
	ErrDenied = errors.New("not let in")
	// ErrElsewhere: another forecaster computes the workload. 421.
	ErrElsewhere = errors.New("workload computed elsewhere")
	// ErrBusy: the caller, or all together, ask too often; the answer may name
	// when to ask again. 429.
	ErrBusy = errors.New("asked too often")
	// ErrInvalid: a snapshot broke a rule of [Snapshot.Validate].
	ErrInvalid = errors.New("invalid snapshot")
)
