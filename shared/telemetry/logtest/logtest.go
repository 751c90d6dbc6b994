// Package logtest holds a log that is read while others write it.
package logtest

import (
	"bytes"
	"sync"
)

// Log keeps what is written to it. The zero Log is ready for use, by many at a
// time.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write appends.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String is everything written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
