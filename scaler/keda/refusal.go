package keda

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// refusal is an answer without a number. KEDA ignores the code and shows the
// text to the user as it is, so the text says what to look at and repeats
// nothing that came with the request.
type refusal struct {
	code   codes.Code
	reason string // the label in metrics, logs and /status
	text   string
}

// Error is the text that the user sees.
func (r *refusal) Error() string { return r.text }

// GRPCStatus makes a refusal travel with its own code.
func (r *refusal) GRPCStatus() *status.Status { return status.New(r.code, r.text) }

// Every reason not to answer with a forecast. A reason is one of these and
// nothing else, so the label is bounded.
var (
	tooOld = &refusal{
		codes.Unavailable, "too_old",
		"forecast older than STALE_AFTER: check that the forecaster runs and its metric source answers",
	}
	impatient = &refusal{
		codes.Unavailable, "stale_after",
		"forecast older than STALE_AFTER before its next one is late: raise STALE_AFTER above the forecaster's SCRAPE_INTERVAL and twice its INTERVAL",
	}
	expired = &refusal{
		codes.Unavailable, "expired",
		"forecast's horizon has passed: check that the forecaster runs and its metric source answers",
	}
	pending = &refusal{
		codes.Unavailable, "pending",
		"first forecast not fetched yet: retry",
	}
	unreachable = &refusal{
		codes.Unavailable, "unreachable",
		"no forecast fetched yet: check FORECASTER_URL and that the forecaster runs",
	}
	throttled = &refusal{
		codes.Unavailable, "throttled",
		"no forecast fetched yet, for the forecaster asks for patience: retry, or raise its RATE_LIMIT",
	}
	denied = &refusal{
		codes.Unavailable, "denied",
		"forecaster does not let this scaler in: check FORECASTER_AUTH on both sides and the scaler's token or certificate",
	}
	notFound = &refusal{
		codes.NotFound, "not_found",
		"forecaster has no such workload: check the trigger's workload and the forecaster's WORKLOADS",
	}
	notReady = &refusal{
		codes.FailedPrecondition, "not_ready",
		"forecaster has no forecast of this workload yet: its /workloads says why",
	}
	invalid = &refusal{
		codes.FailedPrecondition, "invalid",
		"forecaster answered with an invalid forecast: check that both run the same version",
	}

	foreign = &refusal{
		codes.PermissionDenied, "namespace",
		"this scaler serves another namespace",
	}
	nameless = &refusal{
		codes.InvalidArgument, "malformed",
		"scaledObjectRef is missing or malformed",
	}
	overloaded = &refusal{
		codes.ResourceExhausted, "overloaded",
		"too many requests at a time: retry",
	}
	hasty = &refusal{
		codes.ResourceExhausted, "rate",
		"this client asks too often: retry, or raise the scaler's RATE_LIMIT",
	}
	crowded = &refusal{
		codes.ResourceExhausted, "streams",
		"too many open streams: use pollingInterval, or more scaler replicas",
	}
	panicked = &refusal{
		codes.Internal, "internal",
		"internal error: see the scaler's log",
	}
)

// unusable is a fault of the trigger's metadata, for the user who wrote it.
func unusable(text string) *refusal {
	return &refusal{codes.InvalidArgument, "metadata", "trigger metadata: " + text}
}
