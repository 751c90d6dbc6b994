// Package auto is the default model: an ensemble that earns its weights by
// forecasting the past again.
//
// No single method wins on all load. Within an hour nearly all of the skill is
// a good level on a robustly deseasonalised series; smooth series reward last
// week's shape, intermittent ones a median, bursts the last value. So many
// cheap experts forecast side by side, and what each was worth at this metric,
// at this distance and at this time of day decides what it counts for. The one
// thing to know: everything the model says of itself comes from a replay in
// which each forecast used only what was known at its origin (Tashman, 2000).
//
// # Steps of a fit
//
//   - Scale: z = √(v / mean|v|), which evens out the noise of counts; v / mean|v|
//     for a metric that goes below zero.
//   - Faults: lone spikes and zeros of a lost metric are set aside like holes.
//     Holes are bridged so that lags exist, but nothing learns from a bridge.
//   - Seasons, per day of the replay as known on its morning: the trimmed mean of
//     z − (centred mean over a day), by slot of the local day, over whole centred
//     periods; three exponentially weighted profiles; the median of five days;
//     yesterday; last week; the season plus its smoothed departure in the weeks
//     before, but for hours that departed like no other: an incident does not
//     come again a week later; and a cycle found in the autocorrelation.
//   - Levels: on x = z − curve, exponential smoothing l ← l + α(x − l) at five
//     half-lives and damped trends (Gardner and McKenzie, 1985); forecast
//     curve(t + h) + l + b(φ + … + φʰ). Where the level shifts they start anew.
//   - Weights per knot of the horizon, at powers of two: w ∝ (best loss / loss)²⁴ with the loss
//     mean √|error|, newest and same time of day counting most, experts below
//     0.86 of the best left out (in the spirit of Bates and Granger, 1969).
//   - Correction: a ridge regression (Hoerl and Kennard, 1970) per knot on what
//     experts say relative to the last value learns what the blend missed, with
//     Huber's weights (1964); the blend with and without it are weighed alike.
//   - Law: weighted quantiles of the replay's misses around it, in units of a
//     spread that may grow with the level and differ by hour and by step of the
//     hour, chosen by pinball loss on held-out halves: split-conformal prediction (Papadopoulos and
//     others, 2002; Lei and others, 2018). The newest misses count most, and those
//     of all knots, mirrored and brought to the distance, count as twenty
//     independent ones: far knots of short histories have few of their own.
//   - Drift: where it pays on held-out halves, the spread is also that of the
//     misses known at the origin relative to the usual, those of the last day
//     counting most. As all of it is recomputed from history, a restart changes
//     nothing.
//
// With less than a day and an eighth there are no seasons, and with less than
// two and a half days the replay has not seen every hour often enough to tell
// how the spread differs. Until then the misses of all knots serve every one,
// and laws are widened by Student's quantile over the normal one.
//
// # Following drift
//
// Adaptive conformal inference (Gibbs and Candès, 2021) was measured against
// this spread of the newest misses: per knot and level, α ← α + γ(target − hit),
// rolled through the replay. Where the noise of a series doubled, 90 % levels
// held 79, 82, 83 and 87 % of steps on the four days after it without either;
// with γ = 0.01 they held 81, 88, 90 and 91 %, with the newest misses 80, 87, 88
// and 90 %. On 304 public tasks, whose coverage was within 0.01 of nominal anyway,
// the pinball loss of the 90 % level rose by 5 % with γ = 0.01 and by 3 % with
// 0.005, less with the steps of α bounded but then so did the gain; with the
// newest misses it rose by 0.4 %, and fell by 0.7 % at one-minute steps. A level
// that chases hits sees one bit a step, a spread sees how large misses are.
//
// Between fits a forecast costs a pass over the history: seasons, coefficients,
// weights and laws stand, levels and lags are the newest.
package auto
