// Package ets smooths exponentially: the level, trend and season of a series
// each follow it at a rate of their own, the state space models of Hyndman,
// Koehler, Ord and Snyder (2008).
//
// The rates are fitted, never fixed: within the hour a well-fitted rate on a
// well-kept season is most of what there is to forecast.
//
// Decisions:
//   - Seasons of many steps are kept in at most 288 slots a day. A slot of
//     five minutes sees five values a day where one of a minute sees one.
//   - The season is the day of the workload's time zone, or its week where every
//     other week agrees with the rest about how its days differ. It leaps where
//     the clocks do. Without either there is none.
//   - The first season comes from a decomposition by medians. On short series
//     it is then estimated with the rest, by least squares inside the search.
//   - Trends are damped unless a caller asks otherwise; undamped ones run away
//     over horizons longer than the data's memory.
//   - An error ten times the usual is not believed until the third in a row.
package ets
