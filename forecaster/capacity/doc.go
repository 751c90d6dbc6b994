// Package capacity turns load into replica counts. It is arithmetic: no I/O,
// no clock, no state.
//
// # The plan of a forecast
//
// For a forecast v₀ … vₙ₋₁ and the count p before its first step, [ToReplicas]
// works out, for each step i in turn:
//
//	raw       rⱼ = max(vⱼ, 0) / TargetPerPod
//	adjusted  aⱼ = rⱼ · Headroom
//	prewarm   wᵢ = max(aᵢ, …, aᵢ₊ₖ)              k = PrewarmWindowSteps
//	round up  dᵢ = ⌈wᵢ⌉
//	rise      dᵢ ≤ max(⌊cᵢ₋₁ · UpMaxFactorPerStep⌋, cᵢ₋₁ + 1)
//	fall      dᵢ ≥ min(⌈cᵢ₋₁ · (100 − DownMaxPercentPerStep) / 100⌉, cᵢ₋₁ − 1)
//	bound     cᵢ = min(max(dᵢ, MinReplicas), MaxReplicas)        c₋₁ = p
//
// Limits count steps of the forecast, never ticks of a clock: asking twice
// changes nothing. Both limits let one pod move, or a small workload could never
// grow or shrink again: ⌈5 · 0.9⌉ is 5.
//
// A value that is not finite is unknown, and the unknown never lowers a plan:
// such a step needs at least what the step before it had.
//
// # A worked example
//
// 100 requests a second per pod, headroom 1.2, at most a doubling up and 10 %
// down a step, bounds 2 and 50, and 4 pods needed just now:
//
//	load      300   900  1000   200   200
//	raw         3     9    10     2     2
//	adjusted  3.6  10.8    12   2.4   2.4
//	round up    4    11    12     3     3
//	rise        4     8    12     .     .      8 = 2 · 4
//	fall        .     .     .    11    10      11 = ⌈0.9 · 12⌉, 10 = ⌈0.9 · 11⌉
//	plan        4     8    12    11    10
//
// # The decision
//
// [Decide] wraps the plan in what keeps it safe: it picks the quantile of the
// forecast that the policy's stated risk asks for, refuses to act on a forecast
// without skill, and never publishes less than the load observed now needs.
//
// A chosen quantile and a headroom multiply. A quantile is meant to replace a
// guessed headroom, so the headroom beside it is 1 unless it is set; a small one
// on top of a quantile measured best where pods take minutes to start.
package capacity
