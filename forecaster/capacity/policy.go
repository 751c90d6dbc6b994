package capacity

// Policy says how load becomes replicas. A zero limit does not limit.
type Policy struct {
	TargetPerPod          float64 // load one pod carries, in the metric's unit; > 0
	Headroom              float64 // factor on the load when no Quantile is chosen; ≥ 1, 0 is 1
	MinReplicas           int     // ≥ 0
	MaxReplicas           int     // ≥ MinReplicas
	UpMaxFactorPerStep    float64 // a step is at most this factor above the one before; 0 does not limit
	DownMaxPercentPerStep int     // a step is at most this percentage below the one before; 0 does not limit
	PrewarmWindowSteps    int     // each step needs the maximum over this many later steps too
	Quantile              float64 // plan for this quantile of the load instead of Headroom; 0 is none
}
