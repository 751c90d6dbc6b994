// Package tokenfile reads a bearer token from a file that somebody else
// rotates, as the kubelet does with a projected service account token.
package tokenfile

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// reread is how long a token is used before its file is read again; a rotated
// one is in use within a minute.
const reread = 30 * time.Second

// longest is the length that no token exceeds.
const longest = 16 << 10

// ErrEmpty means that a file holds no token.
var ErrEmpty = errors.New("must hold one line of printable characters")

// File is a token in a file. It is safe for concurrent use.
type File struct {
	name  string
	mu    sync.Mutex
	value string
	next  time.Time // when to read the file again
}

// Open reads the token for the first time.
func Open(name string) (*File, error) {
	f := &File{name: name}
	_, err := f.Token()
	return f, err
}

// Token is the token, and why it could not be read again if so: then it is the
// last one that could. No error holds any of it.
func (f *File) Token() (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if now.Before(f.next) {
		return f.value, nil
	}
	f.next = now.Add(reread)
	value, err := read(f.name)
	if err != nil {
		return f.value, err
	}
	f.value = value
	return f.value, nil
}

// Expire has the file read again before the token is next used: it was refused.
func (f *File) Expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = time.Time{}
}

func read(name string) (string, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("reading a token: %w", err)
	}
	value := strings.TrimSpace(string(content))
	if value == "" || len(value) > longest || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("reading a token: %s: %w", name, ErrEmpty)
	}
	return value, nil
}
