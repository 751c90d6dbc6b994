package models

import "fmt"

// Validate says which level breaks which rule.
func (o Options) Validate() error {
	for i, level := range o.Levels {
		if !(level > 0 && level < 1) {
			return fmt.Errorf("quantile level %v: must be between 0 and 1", level)
		}
		if i > 0 && level <= o.Levels[i-1] {
			return fmt.Errorf("quantile level %v after %v: levels must ascend", level, o.Levels[i-1])
		}
	}
	return nil
}
