// Package tlsconfig makes TLS configurations from files and follows the files
// as they change, so that a rotated certificate needs no restart.
//
// The files are looked at when a connection is made, at most once a second:
// nothing runs in between. New files that are broken, or half written, leave
// the old ones in force and are reported once, until they change again.
//
// The peer's certificate is verified in VerifyConnection and not by
// crypto/tls itself, because that is the one hook both for clients and
// servers at which the authorities in force now can be asked; it also runs for
// resumed sessions, so a revoked authority ends those too.
package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Files name what a TLS configuration is made from, as PEM.
type Files struct {
	Cert string // our certificate, with those between it and the authority
	Key  string // its private key
	CA   string // the authorities whose certificates we accept from the other side

	// ClientNames are DNS names, separated by commas, one of which a client's
	// certificate must bear; empty is any. Only for servers with CA.
	ClientNames string

	// Anonymous lets a client present no certificate, where CA is set; one that
	// it presents must be good. Only for servers that look at it themselves.
	Anonymous bool

	// ServerName is the name a server's certificate must bear, where it is not
	// the host that a client connects to. Only for clients.
	ServerName string
}

// Server is the configuration of a server: Cert and Key are needed, and where
// CA is set every client must present a certificate that it issued. Broken
// files found later go to report, which may be nil.
func Server(files Files, report func(error)) (*tls.Config, error) {
	switch {
	case files.Cert == "" || files.Key == "":
		return nil, errors.New("a TLS server needs both a certificate and a key file")
	case files.ServerName != "":
		return nil, fmt.Errorf("server name %q: is for TLS clients only", files.ServerName)
	}
	source, err := open(files, report)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return source.now().cert, nil
		},
	}
	if files.CA != "" {
		config.ClientAuth = tls.RequireAnyClientCert
		if files.Anonymous {
			config.ClientAuth = tls.RequestClientCert
		}
		config.VerifyConnection = func(cs tls.ConnectionState) error {
			if files.Anonymous && len(cs.PeerCertificates) == 0 {
				return nil
			}
			if err := verify(cs, source.now().authorities, "", x509.ExtKeyUsageClientAuth); err != nil {
				return err
			}
			return named(cs.PeerCertificates[0], files.ClientNames)
		}
	}
	return config, nil
}

// ServerOrNone is [Server], or nil where no file is named, for then TLS was not
// asked for. Broken files found later are logged.
func ServerOrNone(files Files, log *slog.Logger) (*tls.Config, error) {
	if files == (Files{}) {
		return nil, nil //nolint:nilnil // nil is what servers take for plain text
	}
	return Server(files, logged(log))
}

// ClientOrNone is [Client], or nil where neither a file nor a name is given.
// Broken files found later are logged.
func ClientOrNone(files Files, log *slog.Logger) (*tls.Config, error) {
	if files == (Files{}) {
		return nil, nil //nolint:nilnil // nil is what clients take for the system's ways
	}
	return Client(files, logged(log))
}

func logged(log *slog.Logger) func(error) {
	return func(err error) { log.Error("new TLS files are broken, the old ones stay in force", "err", err) }
}

// Client is the configuration of a client. Without CA the server's
// certificate is held against the system's authorities; with Cert and Key the
// client presents a certificate when asked for one. Broken files found later
// go to report, which may be nil.
func Client(files Files, report func(error)) (*tls.Config, error) {
	if (files.Cert == "") != (files.Key == "") {
		return nil, errors.New("a TLS client needs a certificate and a key file, or neither")
	}
	source, err := open(files, report)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: files.ServerName}
	if files.Cert != "" {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return source.now().cert, nil
		}
	}
	if files.CA != "" {
		config.InsecureSkipVerify = true // VerifyConnection does it, with the authorities in force now
		config.VerifyConnection = func(cs tls.ConnectionState) error {
			name := files.ServerName
			if name == "" {
				name = cs.ServerName
			}
			if name == "" { // an IP address, which crypto/tls keeps to itself
				return errors.New("the server was reached by its IP address: set the name its certificate must bear")
			}
			return verify(cs, source.now().authorities, name, x509.ExtKeyUsageServerAuth)
		}
	}
	return config, nil
}

// named says so if the certificate bears none of the names.
func named(leaf *x509.Certificate, names string) error {
	if names == "" {
		return nil
	}
	for name := range strings.SplitSeq(names, ",") {
		if slices.Contains(leaf.DNSNames, strings.TrimSpace(name)) {
			return nil
		}
	}
	return fmt.Errorf("certificate of %q: bears none of the names %s", leaf.Subject.CommonName, names)
}

// verify holds the other side's certificate against the authorities.
func verify(cs tls.ConnectionState, authorities *x509.CertPool, name string, usage x509.ExtKeyUsage) error {
	if len(cs.PeerCertificates) == 0 {
		return errors.New("the other side presented no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range cs.PeerCertificates[1:] {
		between.AddCert(c)
	}
	leaf := cs.PeerCertificates[0]
	_, err := leaf.Verify(x509.VerifyOptions{
		DNSName:       name,
		Roots:         authorities,
		Intermediates: between,
		KeyUsages:     []x509.ExtKeyUsage{usage},
		CurrentTime:   time.Now(),
	})
	if err != nil {
		return fmt.Errorf("certificate of %q: %w", leaf.Subject.CommonName, err)
	}
	return nil
}
