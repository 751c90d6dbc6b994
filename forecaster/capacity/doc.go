// Package capacity turns load into replica counts. It is arithmetic: no I/O,
// no clock, no state.
package capacity
