package client

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

// token is a bearer token in a file that somebody else rotates.
type token struct {
	file  string
	mu    sync.Mutex
	value string
	next  time.Time // when to read the file again
}

func newToken(file string) (*token, error) {
	t := &token{file: file}
	_, err := t.get(time.Now())
	return t, err
}

// get is the token, and why it could not be read again if so: then it is the
// last one that could.
func (t *token) get(now time.Time) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Before(t.next) {
		return t.value, nil
	}
	t.next = now.Add(reread)
	value, err := readToken(t.file)
	if err != nil {
		return t.value, err
	}
	t.value = value
	return t.value, nil
}

// expire has the file read again before the token is next used.
func (t *token) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next = time.Time{}
}

func readToken(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading the forecaster's token: %w", err)
	}
	value := strings.TrimSpace(string(content))
	if value == "" || len(value) > 16<<10 || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("reading the forecaster's token: %s: %w", file, errNoToken)
	}
	return value, nil
}

var errNoToken = errors.New("must hold one line of printable characters")
