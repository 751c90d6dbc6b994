package plane

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Hosts is the cluster's DNS: a file mounted over /etc/hosts, in this mount
// namespace only, that every process re-reads. A name with several addresses
// answers with all of them, as a headless Service does.
type Hosts struct {
	path string

	mu    sync.Mutex
	names map[string][]string
}

// NewHosts mounts an empty file of hosts kept in dir.
func NewHosts(dir string) (*Hosts, error) {
	h := &Hosts{path: filepath.Join(dir, "hosts"), names: map[string][]string{}}
	if err := h.save(); err != nil {
		return nil, err
	}
	if err := syscall.Mount(h.path, "/etc/hosts", "", syscall.MS_BIND, ""); err != nil {
		return nil, fmt.Errorf("mounting %s over /etc/hosts: %w", h.path, err)
	}
	return h, nil
}

// Set gives a Service, NAME.NAMESPACE, its addresses; none removes it.
func (h *Hosts) Set(service string, addresses ...string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.names[service] = slices.Clone(addresses)
	return h.save()
}

// save writes over the file, whose inode the mount holds on to.
func (h *Hosts) save() error {
	var text strings.Builder
	text.WriteString("127.0.0.1 localhost\n")
	for _, name := range slices.Sorted(maps.Keys(h.names)) {
		for _, address := range h.names[name] {
			fmt.Fprintf(&text, "%s %s %[2]s.svc %[2]s.svc.cluster.local\n", address, name)
		}
	}
	if err := os.WriteFile(h.path, []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("writing the file of hosts: %w", err)
	}
	return nil
}
