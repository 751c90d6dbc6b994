package command

// Bar and Progress are how a replay shows how far it is.
var Bar = bar

// Progress is nil where nobody watches.
func (c Command) Progress() func(done, total int) { return c.progress() }

// History is the file's load on steps.
var History = history
