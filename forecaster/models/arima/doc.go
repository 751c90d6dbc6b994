// Package arima forecasts with the processes of Box and Jenkins: a series,
// differenced until it is stationary, is a weighted sum of its own past and of
// past shocks.
//
// The sparse lag polynomials are the one thing to know: a lag of a day of
// minutes is one term, so conditional least squares, forecasts and standard
// errors cost O(n · terms) for any season. The exact likelihood goes through a
// state space whose dimension is the season and is kept to short series.
//
// Decisions:
//   - Orders are ranked by moments (Hannan and Rissanen 1982 worked out on
//     autocovariances), so trying a dozen of them needs no pass over the data.
//   - No drift where a series was differenced: a slope seen over a window of
//     hours says nothing about the next and grows without bound.
//   - A season is a fixed number of steps on the wall clock of the workload's
//     zone. On the two days a year that clocks are changed the series is laid on
//     that clock before anything else.
//   - Where there is no season a forecast is a few weighted sums, worked out
//     when the process is fitted. Recursions are left for gaps and for seasons.
//   - Estimation and order choice see a bounded window of recent data, and
//     values clipped far outside its bulk; forecasts start from what was
//     observed.
package arima
