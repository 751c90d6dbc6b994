// Package faults breaks what Kedastral depends on, one thing at a time, under
// load, and checks that what must always hold does.
//
// A world is a chain of real processes on the loopback: a source of history, a
// forecaster, a relay, a scaler, and callers that ask what KEDA asks, at a fixed
// rate whether answers come or not. The relay stands between scaler and
// forecaster. It knows every snapshot that was delivered and when, so each
// answer can be judged by what it should have been made from: that judgement is
// the model, and it knows nothing of how the scaler comes to its answers. The
// relay can also lie, and be a forecaster of its own whose plan is known.
//
// Time is judged against the machine's own. A witness, a process that does
// nothing but answer, is asked at the same moments as the scalers, and the kernel
// tells how long they waited for a processor; what a scaler takes besides, and
// what its own histogram says, is the scaler's. Nothing else makes a limit wider.
//
// A row is one fault: what is done, for how long, what it has to look like from
// outside, and how soon all is well again once it is over. Rows of one world
// follow one another; worlds run beside each other. What a row found is a line
// of the report that the suite ends with.
//
// The suite is itself tested: binaries that are broken on purpose have to make
// it fail.
package faults
