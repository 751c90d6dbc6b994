package tlsconfig_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"

	"github.com/kedastral/kedastral/shared/tlsconfig"
)

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T, name string, life time.Duration) authority {
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
	return authority{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// leaf is what the authority issues: its name is common and DNS name, and it
// is for one usage only.
type leaf struct {
	name  string
	from  time.Duration // after now
	life  time.Duration // after now; 0 is an hour
	usage x509.ExtKeyUsage
	ip    net.IP
}

func (a authority) issue(t *testing.T, l leaf) (cert, key []byte) {
	t.Helper()
	if l.life == 0 {
		l.life = time.Hour
	}
	k := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: l.name}, DNSNames: []string{l.name},
		NotBefore: time.Now().Add(l.from), NotAfter: time.Now().Add(l.life), ExtKeyUsage: []x509.ExtKeyUsage{l.usage},
	}
	if l.ip != nil {
		template.IPAddresses = []net.IP{l.ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, k.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// dir holds the files of one side.
type dir string

func (d dir) files() tlsconfig.Files {
	return tlsconfig.Files{Cert: d.path("tls.crt"), Key: d.path("tls.key"), CA: d.path("ca.crt")}
}

func (d dir) path(name string) string { return filepath.Join(string(d), name) }

func (d dir) write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(d.path(name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (d dir) writePair(t *testing.T, cert, key []byte) {
	t.Helper()
	d.write(t, "tls.crt", cert)
	d.write(t, "tls.key", key)
}

// newDir has a pair for the leaf that issuer issued and trusts the authority.
func newDir(t *testing.T, issuer, trusted authority, l leaf) dir {
	t.Helper()
	d := dir(t.TempDir())
	cert, key := issuer.issue(t, l)
	d.writePair(t, cert, key)
	d.write(t, "ca.crt", trusted.pem)
	return d
}

var (
	serverLeaf = leaf{name: "forecaster", from: -time.Hour, usage: x509.ExtKeyUsageServerAuth}
	clientLeaf = leaf{name: "keda", from: -time.Hour, usage: x509.ExtKeyUsageClientAuth}
)

// handshake connects the two and returns what each side made of it, having
// sent a byte each way, for TLS 1.3 tells a client only then that its
// certificate was refused.
func handshake(t *testing.T, server, client *tls.Config) (state tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	a, b := connect(t)
	s, c := tls.Server(a, server), tls.Client(b, client)
	done := make(chan error, 1)
	go func() {
		defer hangUp(t, a)
		if err := s.Handshake(); err != nil { //nolint:noctx // the pipe ends it
			done <- err
			return
		}
		_, err := s.Write([]byte{1})
		done <- err
	}()
	_, clientErr = c.Read(make([]byte, 1))
	hangUp(t, b)
	return c.ConnectionState(), <-done, clientErr
}

func hangUp(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
}

// connect is both ends of a connection that buffers, as TLS needs.
func connect(t *testing.T) (a, b net.Conn) {
	t.Helper()
	ln := bufconn.Listen(64 << 10)
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	b, err := ln.DialContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return <-accepted, b
}

func mustServer(t *testing.T, files tlsconfig.Files, report func(error)) *tls.Config {
	t.Helper()
	config, err := tlsconfig.Server(files, report)
	if err != nil {
		t.Fatalf("Server = %v", err)
	}
	return config
}

func mustClient(t *testing.T, files tlsconfig.Files, name string) *tls.Config {
	t.Helper()
	files.ServerName = name
	config, err := tlsconfig.Client(files, func(err error) { t.Errorf("client reports %v", err) })
	if err != nil {
		t.Fatalf("Client = %v", err)
	}
	return config
}

func TestBothSidesAreVerified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := newAuthority(t, "ours", 24*time.Hour), newAuthority(t, "theirs", 24*time.Hour)
		byIP := serverLeaf
		byIP.ip = net.IPv4(10, 0, 0, 1)
		swapped := clientLeaf
		swapped.usage = x509.ExtKeyUsageServerAuth
		for _, tt := range []struct {
			name           string
			server, client dir
			asked          string
			onServer       string // in the server's error
			onClient       string
		}{
			{"all is well", newDir(t, ours, ours, serverLeaf), newDir(t, ours, ours, clientLeaf), "forecaster", "", ""},
			{"an IP address that is in the certificate", newDir(t, ours, ours, byIP), newDir(t, ours, ours, clientLeaf), "10.0.0.1", "", ""},
			{"another server", newDir(t, ours, ours, serverLeaf), newDir(t, ours, ours, clientLeaf), "scaler", "bad certificate", "not scaler"},
			{"another IP address", newDir(t, ours, ours, byIP), newDir(t, ours, ours, clientLeaf), "10.0.0.2", "bad certificate", "10.0.0.2"},
			{"a server of another authority", newDir(t, theirs, ours, serverLeaf), newDir(t, ours, ours, clientLeaf), "forecaster", "bad certificate", "unknown authority"},
			{"a client of another authority", newDir(t, ours, ours, serverLeaf), newDir(t, theirs, ours, clientLeaf), "forecaster", `certificate of "keda": x509: certificate signed by unknown authority`, "bad certificate"},
			{"a client with a server's certificate", newDir(t, ours, ours, serverLeaf), newDir(t, ours, ours, swapped), "forecaster", "incompatible key usage", "bad certificate"},
			{"a server with a client's certificate", newDir(t, ours, ours, clientLeaf), newDir(t, ours, ours, clientLeaf), "keda", "bad certificate", "incompatible key usage"},
		} {
			_, onServer, onClient := handshake(t, mustServer(t, tt.server.files(), nil), mustClient(t, tt.client.files(), tt.asked))
			if !says(onServer, tt.onServer) || !says(onClient, tt.onClient) {
				t.Errorf("%s: server %v, client %v; want %q, %q", tt.name, onServer, onClient, tt.onServer, tt.onClient)
			}
		}

		server := mustServer(t, newDir(t, ours, ours, serverLeaf).files(), nil)
		stranger := newDir(t, ours, ours, clientLeaf).files()
		stranger.Cert, stranger.Key = "", ""
		if _, err, _ := handshake(t, server, mustClient(t, stranger, "forecaster")); !says(err, "didn't provide a certificate") {
			t.Errorf("a client without a certificate: server %v", err)
		}
		nameless := mustClient(t, stranger, "")
		nameless.ServerName = "10.0.0.1" // as an HTTP client sets it
		if _, _, err := handshake(t, server, nameless); !says(err, "reached by its IP address") {
			t.Errorf("a server reached by its address: client %v", err)
		}
		old := mustClient(t, newDir(t, ours, ours, clientLeaf).files(), "forecaster")
		old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		if _, err, _ := handshake(t, server, old); !says(err, "unsupported versions") {
			t.Errorf("a client of TLS 1.1: server %v", err)
		}
	})
}

// says reports whether the error has the text; no text wants no error.
func says(err error, text string) bool {
	if text == "" {
		return err == nil
	}
	return err != nil && strings.Contains(err.Error(), text)
}

func TestNewFilesAreTakenUpUnderUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newAuthority(t, "first", 24*time.Hour), newAuthority(t, "second", 24*time.Hour)
		server, client := newDir(t, first, first, serverLeaf), newDir(t, first, first, clientLeaf)
		var reports []string
		serverConfig := mustServer(t, server.files(), func(err error) { reports = append(reports, err.Error()) })
		clientConfig := mustClient(t, client.files(), "forecaster")
		clientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(8)
		presented := func(what string) string {
			t.Helper()
			state, onServer, onClient := handshake(t, serverConfig, clientConfig)
			if onServer != nil || onClient != nil {
				t.Fatalf("%s: server %v, client %v", what, onServer, onClient)
			}
			return state.PeerCertificates[0].SerialNumber.String()
		}
		before := presented("at first")

		// A new certificate of the same authority, in use at the next look.
		time.Sleep(time.Millisecond) // for another serial number
		cert, key := first.issue(t, serverLeaf)
		server.writePair(t, cert, key)
		clientConfig.ClientSessionCache = nil // a resumed session keeps its certificate
		if presented("not looked yet") != before {
			t.Error("the files were read again within a second")
		}
		time.Sleep(time.Second)
		after := presented("renewed")
		if after == before {
			t.Error("the renewed certificate is not in use")
		}

		// A new certificate whose key is not there yet.
		newCert, newKey := first.issue(t, serverLeaf)
		server.write(t, "tls.crt", newCert)
		for range 3 {
			time.Sleep(2 * time.Second)
			if presented("half written") != after {
				t.Error("a certificate without its key is in use")
			}
		}
		if len(reports) != 1 || !strings.Contains(reports[0], "tls.key") || !strings.Contains(reports[0], "does not match") {
			t.Errorf("reports = %q; want one, that the key does not match", reports)
		}
		server.write(t, "tls.key", newKey)
		time.Sleep(2 * time.Second)
		if presented("mended") == after || len(reports) != 1 {
			t.Errorf("the mended pair is not in use, or reported: %q", reports)
		}

		// A file that goes missing is reported, once, and changes nothing.
		if err := os.Remove(server.path("ca.crt")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			time.Sleep(2 * time.Second)
			presented("without a file")
		}
		if len(reports) != 2 || !strings.Contains(reports[1], "ca.crt: no such file") {
			t.Errorf("reports = %q; want the missing file second and last", reports)
		}

		// Both sides move to a second authority by way of trusting both.
		clientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(8)
		both := append(bytes.Clone(first.pem), second.pem...)
		server.write(t, "ca.crt", both)
		client.write(t, "ca.crt", both)
		time.Sleep(2 * time.Second)
		presented("both trusted")
		cert, key = second.issue(t, clientLeaf)
		client.writePair(t, cert, key)
		cert, key = second.issue(t, serverLeaf)
		server.writePair(t, cert, key)
		time.Sleep(2 * time.Second)
		presented("both renewed") // may resume

		// Who still has only what the first authority issued is now a stranger.
		server.write(t, "ca.crt", second.pem)
		time.Sleep(2 * time.Second)
		late := mustClient(t, newDir(t, first, second, clientLeaf).files(), "forecaster")
		if _, err, _ := handshake(t, serverConfig, late); !says(err, "unknown authority") {
			t.Errorf("a client of the first authority: server %v; want unknown authority", err)
		}
		if len(reports) != 2 {
			t.Errorf("reports = %q; want no more", reports[2:])
		}
	})
}

func TestAResumedSessionEndsWithItsAuthority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newAuthority(t, "first", 24*time.Hour), newAuthority(t, "second", 24*time.Hour)
		server, client := newDir(t, first, first, serverLeaf), newDir(t, first, first, clientLeaf)
		serverConfig, clientConfig := mustServer(t, server.files(), nil), mustClient(t, client.files(), "forecaster")
		clientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(8)
		for _, resumed := range []bool{false, true} {
			state, onServer, onClient := handshake(t, serverConfig, clientConfig)
			if onServer != nil || onClient != nil || state.DidResume != resumed {
				t.Fatalf("resumed %t, server %v, client %v; want resumed %t", state.DidResume, onServer, onClient, resumed)
			}
		}
		server.write(t, "ca.crt", second.pem)
		time.Sleep(2 * time.Second)
		if _, err, _ := handshake(t, serverConfig, clientConfig); !says(err, "unknown authority") {
			t.Errorf("server %v; want the resumed session refused", err)
		}
	})
}

func TestACertificateThatExpiresInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours := newAuthority(t, "ours", 24*time.Hour)
		server := mustServer(t, newDir(t, ours, ours, serverLeaf).files(), nil)
		client := mustClient(t, newDir(t, ours, ours, clientLeaf).files(), "forecaster")
		if _, _, err := handshake(t, server, client); err != nil {
			t.Fatalf("client %v", err)
		}
		time.Sleep(2 * time.Hour)
		if _, _, err := handshake(t, server, client); !says(err, "expired") {
			t.Errorf("client %v; want the server's certificate expired", err)
		}
	})
}

func TestWithoutAuthoritiesTheSystemsCount(t *testing.T) {
	ours := newAuthority(t, "ours", 24*time.Hour)
	server := mustServer(t, newDir(t, ours, ours, serverLeaf).files(), nil)
	client := mustClient(t, tlsconfig.Files{}, "forecaster")
	if _, _, err := handshake(t, server, client); err == nil {
		t.Error("a server of an authority nobody trusts was accepted")
	}
}

func TestFaultsNameTheFileAndWhatIsWrong(t *testing.T) {
	ours, expired := newAuthority(t, "ours", 24*time.Hour), newAuthority(t, "gone", -time.Minute)
	for _, tt := range []struct {
		name  string
		spoil func(*testing.T, dir)
		want  string
	}{
		{"missing", func(t *testing.T, d dir) { remove(t, d, "tls.crt") }, "tls.crt: no such file"},
		{"missing key", func(t *testing.T, d dir) { remove(t, d, "tls.key") }, "tls.key: no such file"},
		{"empty", func(t *testing.T, d dir) { d.write(t, "tls.crt", nil) }, "tls.crt: holds no PEM certificate"},
		{"no PEM", func(t *testing.T, d dir) { d.write(t, "ca.crt", []byte("hello")) }, "ca.crt: holds no PEM certificate"},
		{"a key for a certificate", func(t *testing.T, d dir) {
			_, key := ours.issue(t, serverLeaf)
			d.write(t, "tls.crt", key)
		}, "tls.crt: holds no PEM certificate"},
		{"not a certificate", func(t *testing.T, d dir) {
			d.write(t, "tls.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))
		}, "tls.crt: x509"},
		{"no key", func(t *testing.T, d dir) { d.write(t, "tls.key", []byte("hello")) }, "tls.key: holds no PEM"},
		{"another's key", func(t *testing.T, d dir) {
			_, key := ours.issue(t, serverLeaf)
			d.write(t, "tls.key", key)
		}, "does not match"},
		{"expired", func(t *testing.T, d dir) {
			cert, key := ours.issue(t, leaf{name: "old", from: -2 * time.Hour, life: -time.Minute})
			d.writePair(t, cert, key)
		}, `tls.crt of "old": expired at `},
		{"not yet valid", func(t *testing.T, d dir) {
			cert, key := ours.issue(t, leaf{name: "new", from: time.Hour, life: 2 * time.Hour})
			d.writePair(t, cert, key)
		}, `tls.crt of "new": not valid before `},
		{"expired authority", func(t *testing.T, d dir) { d.write(t, "ca.crt", expired.pem) }, `ca.crt of "gone": expired at `},
	} {
		d := newDir(t, ours, ours, serverLeaf)
		tt.spoil(t, d)
		config, err := tlsconfig.Server(d.files(), nil)
		if config != nil || !says(err, tt.want) || !strings.Contains(err.Error(), string(d)) {
			t.Errorf("%s: Server = %v; want %q and the path", tt.name, err, tt.want)
		}
		if _, err := tlsconfig.Client(d.files(), nil); !says(err, tt.want) {
			t.Errorf("%s: Client = %v; want %q", tt.name, err, tt.want)
		}
	}

	d := newDir(t, ours, ours, serverLeaf)
	d.write(t, "ca.crt", append(bytes.Clone(expired.pem), ours.pem...))
	if _, err := tlsconfig.Server(d.files(), nil); err != nil {
		t.Errorf("a bundle with an expired authority beside a good one: %v", err)
	}
}

func remove(t *testing.T, d dir, name string) {
	t.Helper()
	if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

func TestHalfASettingIsAFault(t *testing.T) {
	for _, files := range []tlsconfig.Files{{}, {Cert: "a"}, {Key: "a"}, {CA: "a"}, {Cert: "a", Key: "b", ServerName: "c"}} {
		if _, err := tlsconfig.Server(files, nil); err == nil {
			t.Errorf("Server(%+v) = nil", files)
		}
	}
	for _, files := range []tlsconfig.Files{{Cert: "a"}, {Key: "a", CA: "b"}} {
		if _, err := tlsconfig.Client(files, nil); !says(err, "or neither") {
			t.Errorf("Client(%+v) = %v", files, err)
		}
	}
	if (tlsconfig.Files{}).Set() || !(tlsconfig.Files{CA: "a"}).Set() {
		t.Error("Set does not tell whether a file is named")
	}
}
