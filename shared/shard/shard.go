// Package shard says which of several forecasters compute a workload.
//
// The one thing to know: there is no table and no coordinator. Forecasters and
// scalers rank the shards of a workload by the same hash (rendezvous, or
// highest random weight: Thaler and Ravishankar, 1998), and the first two of
// the ranking compute it: the owner and one backup. With a shard more, the
// ranking of the others stays as it was, so only the workloads that the new
// one wins move, one in as many as there are shards; with a shard less, each
// of its workloads goes to its backup, which computes it already.
package shard

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
)

// Most is how many shards there may be.
const Most = 1000

// Copies is how many shards compute a workload: its owner and one backup.
const Copies = 2

// Rank is every ordinal of so many shards, the workload's owner first, then
// its backup, then who would come next if those were not there.
func Rank(workload string, shards int) []int {
	type seat struct {
		ordinal int
		weight  uint64
	}
	seats := make([]seat, shards)
	for i := range seats {
		seats[i] = seat{i, weight(workload, i)}
	}
	slices.SortFunc(seats, func(a, b seat) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.ordinal, b.ordinal))
	})
	ranked := make([]int, shards)
	for i, s := range seats {
		ranked[i] = s.ordinal
	}
	return ranked
}

// Computes reports whether the shard is the workload's owner or backup.
func Computes(workload string, ordinal, shards int) bool {
	return slices.Contains(Rank(workload, shards)[:min(Copies, shards)], ordinal)
}

// weight mixes the two well: FNV alone would leave neighbouring ordinals
// alike.
func weight(workload string, ordinal int) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(strconv.AppendInt(append([]byte(workload), '#'), int64(ordinal), 10)) // never fails, by its contract
	x := h.Sum64()
	x = (x ^ x>>33) * 0xff51afd7ed558ccd // the finalizer of MurmurHash3
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// Ordinal is the number at the end of the name of a StatefulSet's pod.
func Ordinal(pod string) (int, error) {
	i := strings.LastIndexByte(pod, '-')
	n, err := strconv.Atoi(pod[i+1:])
	if i < 1 || err != nil || n < 0 || strconv.Itoa(n) != pod[i+1:] {
		return 0, fmt.Errorf("%q: must end in -N, the ordinal of a StatefulSet's pod", pod)
	}
	return n, nil
}

// placeholder stands for the ordinal in an address.
const placeholder = "{ordinal}"

// Addresses is where so many shards are: the one address given, with each
// ordinal in its place. With 0 shards it is what is given.
func Addresses(given []string, shards int) ([]string, error) {
	templates := 0
	for _, text := range given {
		if strings.Contains(text, placeholder) {
			templates++
		}
	}
	switch {
	case shards <= 0 && templates > 0:
		return nil, fmt.Errorf("holds %s: must be set together with SHARD_COUNT", placeholder)
	case shards <= 0:
		return given, nil
	case len(given) != 1 || templates != 1:
		return nil, fmt.Errorf("must be one address with %s in it for SHARD_COUNT", placeholder)
	}
	all := make([]string, min(shards, Most))
	for i := range all {
		all[i] = strings.ReplaceAll(given[0], placeholder, strconv.Itoa(i))
	}
	return all, nil
}
