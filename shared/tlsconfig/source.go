package tlsconfig

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"sync"
	"time"
)

// every is how often the files are looked at while connections are made.
const every = time.Second

// material is what the files held at one time.
type material struct {
	cert        *tls.Certificate
	authorities *x509.CertPool
}

// source is the newest good material of the files.
type source struct {
	files  Files
	report func(error)

	mu      sync.Mutex
	looked  time.Time
	seen    [3][]byte // contents last tried, good or not
	trouble string    // what was last reported
	inForce material
}

func open(files Files, report func(error)) (*source, error) {
	if report == nil {
		report = func(error) {}
	}
	s := &source{files: files, report: report, looked: time.Now()}
	var err error
	if s.seen, err = files.read(); err != nil {
		return nil, err
	}
	s.inForce, err = files.parse(s.seen, time.Now())
	return s, err
}

// now is the material in force, after a look at the files if one is due.
// The contents are compared and not their times: those of a mounted Secret
// are links that are swapped.
func (s *source) now() material {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if since := now.Sub(s.looked); since >= 0 && since < every {
		return s.inForce
	}
	s.looked = now
	contents, err := s.files.read()
	if err == nil {
		if same(contents, s.seen) {
			return s.inForce
		}
		s.seen = contents
		var fresh material
		if fresh, err = s.files.parse(contents, now); err == nil {
			s.inForce, s.trouble = fresh, ""
			return s.inForce
		}
	}
	if err.Error() != s.trouble {
		s.trouble = err.Error()
		s.report(fmt.Errorf("keeping the TLS files read before: %w", err))
	}
	return s.inForce
}

func same(a, b [3][]byte) bool {
	return bytes.Equal(a[0], b[0]) && bytes.Equal(a[1], b[1]) && bytes.Equal(a[2], b[2])
}

// read is what the certificate, key and authority files hold.
func (f Files) read() (contents [3][]byte, err error) {
	for i, file := range []string{f.Cert, f.Key, f.CA} {
		if file == "" {
			continue
		}
		if contents[i], err = os.ReadFile(file); err != nil {
			return contents, fmt.Errorf("reading TLS file: %w", err)
		}
	}
	return contents, nil
}

func (f Files) parse(contents [3][]byte, now time.Time) (material, error) {
	var m material
	if f.Cert != "" {
		cert, err := f.pair(contents[0], contents[1], now)
		if err != nil {
			return material{}, err
		}
		m.cert = cert
	}
	if f.CA != "" {
		pool, err := authorities(f.CA, contents[2], now)
		if err != nil {
			return material{}, err
		}
		m.authorities = pool
	}
	return m, nil
}

// pair is the certificate with its key.
func (f Files) pair(cert, key []byte, now time.Time) (*tls.Certificate, error) {
	chain, err := certificates(f.Cert, cert)
	if err != nil {
		return nil, err
	}
	if err := current(f.Cert, chain[0], now); err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(key); block == nil {
		return nil, fmt.Errorf("key %s: holds no PEM", f.Key)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("key %s for certificate %s: %w", f.Key, f.Cert, err)
	}
	return &pair, nil
}

// authorities is the pool of the bundle. One that has expired among others is
// how bundles are; all of them expired is a fault.
func authorities(file string, bundle []byte, now time.Time) (*x509.CertPool, error) {
	certs, err := certificates(file, bundle)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	var expired error
	live := 0
	for _, c := range certs {
		pool.AddCert(c)
		if err := current(file, c, now); err != nil {
			expired = err
			continue
		}
		live++
	}
	if live == 0 {
		return nil, expired
	}
	return pool, nil
}

// certificates are those in the file, of which there must be one.
func certificates(file string, text []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %s: %w", file, err)
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, fmt.Errorf("certificate %s: holds no PEM certificate", file)
	}
	return certs, nil
}

// current says so if the certificate is not valid at now.
func current(file string, c *x509.Certificate, now time.Time) error {
	switch {
	case now.After(c.NotAfter):
		return fmt.Errorf("certificate %s of %q: expired at %s", file, c.Subject.CommonName, c.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(c.NotBefore):
		return fmt.Errorf("certificate %s of %q: not valid before %s", file, c.Subject.CommonName, c.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}
