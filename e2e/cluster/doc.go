// Package cluster proves the deployed product on a real control plane: KEDA,
// the HPA, the API server and our binaries, end to end.
//
// There is one suite and two homes for it. Without KUBECONFIG it starts a
// control plane of plain processes (room plane) and runs our binaries as
// processes too, with the environment that the rendered manifests of
// overlays/e2e give them. With KUBECONFIG it runs on that cluster, in which the
// same overlay runs as pods. The tests do not know which.
//
// What a test steers stands outside the cluster in both homes: a real
// Prometheus with the load in it, and an oracle, a forecaster's HTTP API whose
// plans a test dictates where it must know the exact count that KEDA is told.
//
// Run it with scripts/e2e; the files of tests carry the build tag e2e.
package cluster
