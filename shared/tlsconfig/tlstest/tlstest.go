// Package tlstest makes certificates for tests: an [Authority] issues them, a
// [Dir] holds those of one side as the files that [tlsconfig.Files] names.
package tlstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kedastral/kedastral/shared/tlsconfig"
)

// Authority issues certificates.
type Authority struct {
	PEM    []byte // its own certificate
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	serial *atomic.Int64
}

// NewAuthority is one that is valid for the life from now, which may be
// negative.
func NewAuthority(t testing.TB, name string, life time.Duration) Authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(life), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	serial := new(atomic.Int64)
	serial.Store(1)
	return Authority{encode("CERTIFICATE", der), cert, key, serial}
}

// Pool is the authority for those who trust nobody else.
func (a Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Leaf is what an authority issues.
type Leaf struct {
	Name  string        // common and DNS name
	From  time.Duration // valid from, after now
	Life  time.Duration // valid until, after now; 0 is an hour
	Usage x509.ExtKeyUsage
	IP    net.IP // if not nil, valid for it too
}

// Server is a server's certificate of the name, valid for an hour.
func Server(name string) Leaf {
	return Leaf{Name: name, From: -time.Hour, Usage: x509.ExtKeyUsageServerAuth}
}

// Client is a client's certificate of the name, valid for an hour.
func Client(name string) Leaf {
	return Leaf{Name: name, From: -time.Hour, Usage: x509.ExtKeyUsageClientAuth}
}

// Issue makes a certificate and its key, as PEM. No two have the same serial
// number.
func (a Authority) Issue(t testing.TB, l Leaf) (cert, key []byte) {
	t.Helper()
	if l.Life == 0 {
		l.Life = time.Hour
	}
	k := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.serial.Add(1)), Subject: pkix.Name{CommonName: l.Name}, DNSNames: []string{l.Name},
		NotBefore: time.Now().Add(l.From), NotAfter: time.Now().Add(l.Life), ExtKeyUsage: []x509.ExtKeyUsage{l.Usage},
	}
	if l.IP != nil {
		template.IPAddresses = []net.IP{l.IP}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, k.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", pkcs8)
}

// Certificate is Issue for those who want no PEM.
func (a Authority) Certificate(t testing.TB, l Leaf) tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(a.Issue(t, l))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// Dir holds the files of one side: tls.crt, tls.key and ca.crt.
type Dir string

// NewDir has a pair for the leaf that issuer issued and trusts the authority.
func NewDir(t testing.TB, issuer, trusted Authority, l Leaf) Dir {
	t.Helper()
	d := Dir(t.TempDir())
	d.Renew(t, issuer, l)
	d.Write(t, "ca.crt", trusted.PEM)
	return d
}

// Renew has a new pair of the issuer in the place of the old one.
func (d Dir) Renew(t testing.TB, issuer Authority, l Leaf) {
	t.Helper()
	cert, key := issuer.Issue(t, l)
	d.Write(t, "tls.crt", cert)
	d.Write(t, "tls.key", key)
}

// Files names the files.
func (d Dir) Files() tlsconfig.Files {
	return tlsconfig.Files{Cert: d.Path("tls.crt"), Key: d.Path("tls.key"), CA: d.Path("ca.crt")}
}

// Path is that of the file with the name.
func (d Dir) Path(name string) string { return filepath.Join(string(d), name) }

// Write has the text in the place of the file, all of it or nothing: never is
// half of it seen.
func (d Dir) Write(t testing.TB, name string, text []byte) {
	t.Helper()
	fresh := d.Path("." + name)
	if err := os.WriteFile(fresh, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, d.Path(name)); err != nil {
		t.Fatal(err)
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
