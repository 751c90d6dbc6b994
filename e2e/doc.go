// Package e2e runs the two built binaries as their users do: a real Prometheus
// with history in it on one side, on the other a client that asks what KEDA
// asks.
//
// Every test starts processes of its own on free ports of the loopback and
// ends them; when one fails, what its processes logged is in its output.
package e2e
