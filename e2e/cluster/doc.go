// Package cluster proves the deployed product on a real control plane.
package cluster
