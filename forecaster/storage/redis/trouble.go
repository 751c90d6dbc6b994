package redis

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
)

// trouble is an error of the server or the network, with what to do about it.
type trouble struct {
	err    error
	advice string
}

func (t *trouble) Error() string { return t.err.Error() + ": " + t.advice }
func (t *trouble) Unwrap() error { return t.err }

// plain is an error with what to do about it, where that is known.
func plain(err error) error {
	if err == nil {
		return nil
	}
	if advice := advise(err); advice != "" {
		return &trouble{err, advice}
	}
	return err
}

func advise(err error) string {
	text := err.Error()
	for _, known := range []struct{ begins, advice string }{
		{"WRONGPASS", "REDIS_USERNAME and REDIS_PASSWORD or REDIS_PASSWORD_FILE are not what it knows"},
		{"NOAUTH", "it wants a password: set REDIS_PASSWORD_FILE"},
		{"NOPERM", "the user needs +eval +getrange +set on the keys of REDIS_PREFIX"},
		{"OOM", "it is full; its maxmemory must hold a snapshot of every workload"},
		{"READONLY", "this is a replica: name the master, or its Sentinels with REDIS_MASTER"},
		{"LOADING", "it is starting"},
		{"MASTERDOWN", "it has lost its master"},
		{"CLUSTERDOWN", "the cluster does not serve all slots"},
		{"MOVED", "this is a node of a cluster: set REDIS_CLUSTER=true"},
		{"MISCONF", "it refuses writes because it cannot save to its disk"},
		{"DENIED", "its protected mode refuses other hosts"},
	} {
		if strings.Contains(text, known.begins) {
			return known.advice
		}
	}
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var slow net.Error
	switch {
	case errors.As(err, &authority), errors.As(err, &name), strings.Contains(text, "tls:"), strings.Contains(text, "x509:"), strings.Contains(text, "certificate"):
		return "TLS fails: see rediss:// in REDIS_URL, REDIS_CA_FILE, REDIS_CERT_FILE and REDIS_SERVER_NAME"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return "it does not answer in time; where the URL is rediss:// it may not speak TLS"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "it closed the connection: it may want TLS (rediss://) or a certificate (REDIS_CERT_FILE)"
	}
	return ""
}
