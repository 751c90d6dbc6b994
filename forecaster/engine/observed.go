package engine

import "github.com/kedastral/kedastral/forecaster/series"

// Observed is the history that the workload's newest tick saw, empty before
// the first. It is shared and must not be changed. Its errors are those of the
// name.
func (e *Engine) Observed(workload string) (series.DataFrame, error) {
	k, err := e.find(workload)
	if err != nil {
		return series.DataFrame{}, err
	}
	return k.outcome().history, nil
}

// Need is the replicas that a load needs under the workload's policy, and
// whether there is such a workload and the load is finite.
func (e *Engine) Need(workload string, load float64) (replicas int, ok bool) {
	k, known := e.workers[workload]
	if !known {
		return 0, false
	}
	return k.Rules.Need(load)
}
