package prom

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// Secret is a credential, given itself or by the file it is in. A file is read
// again when it changed: within ten seconds, and at once after a refusal.
type Secret struct {
	Value string
	File  string // its content without white space around it
}

func (s Secret) set() bool { return s.Value != "" || s.File != "" }

// lookEvery is how often a file is read while questions are asked.
const lookEvery = 10 * time.Second

// credential is a secret and what its file held last.
type credential struct {
	file string

	mu     sync.Mutex
	value  string
	looked time.Time
}

func newCredential(what string, s Secret) (*credential, error) {
	switch {
	case !s.set():
		return nil, nil
	case s.Value != "" && s.File != "":
		return nil, fmt.Errorf("%s given itself and as a file: must be one of them", what)
	}
	c := &credential{file: s.File, value: s.Value}
	if err := c.look(); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return c, usable(what, c.value)
}

// get is the newest value. A file that cannot be read any more leaves the one
// before in force: it may be in the middle of being replaced.
func (c *credential) get() string {
	if c == nil {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) >= lookEvery {
		_ = c.look()
	}
	return c.value
}

// last is the value sent last.
func (c *credential) last() string {
	if c == nil {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.value
}

// doubt makes the next get read the file: the source refused the value.
func (c *credential) doubt() {
	if c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.looked = time.Time{}
	}
}

func (c *credential) look() error {
	if c.file == "" {
		return nil
	}
	c.looked = time.Now()
	content, err := os.ReadFile(c.file)
	if err != nil {
		return err
	}
	value := strings.TrimSpace(string(content))
	if value == "" {
		return fmt.Errorf("file %s: is empty", c.file)
	}
	if err := usable("file "+c.file, value); err != nil {
		return err
	}
	c.value = value
	return nil
}

// usable refuses what cannot be part of a header, without showing it.
func usable(what, value string) error {
	for _, r := range value {
		if r < ' ' || r == 0x7f {
			return fmt.Errorf("%s: contains a line break or another control character", what)
		}
	}
	return nil
}

var errBoth = errors.New("a token and a user: must be one of them")
