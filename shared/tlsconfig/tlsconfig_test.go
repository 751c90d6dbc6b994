package tlsconfig_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"

	"github.com/kedastral/kedastral/shared/tlsconfig"
	"github.com/kedastral/kedastral/shared/tlsconfig/tlstest"
)

var (
	serverLeaf = tlstest.Server("forecaster")
	clientLeaf = tlstest.Client("keda")
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
		ours, theirs := tlstest.NewAuthority(t, "ours", 24*time.Hour), tlstest.NewAuthority(t, "theirs", 24*time.Hour)
		byIP := serverLeaf
		byIP.IP = net.IPv4(10, 0, 0, 1)
		swapped := clientLeaf
		swapped.Usage = x509.ExtKeyUsageServerAuth
		for _, tt := range []struct {
			name           string
			server, client tlstest.Dir
			asked          string
			onServer       string // in the server's error
			onClient       string
		}{
			{"all is well", tlstest.NewDir(t, ours, ours, serverLeaf), tlstest.NewDir(t, ours, ours, clientLeaf), "forecaster", "", ""},
			{"an IP address that is in the certificate", tlstest.NewDir(t, ours, ours, byIP), tlstest.NewDir(t, ours, ours, clientLeaf), "10.0.0.1", "", ""},
			{"another server", tlstest.NewDir(t, ours, ours, serverLeaf), tlstest.NewDir(t, ours, ours, clientLeaf), "scaler", "bad certificate", "not scaler"},
			{"another IP address", tlstest.NewDir(t, ours, ours, byIP), tlstest.NewDir(t, ours, ours, clientLeaf), "10.0.0.2", "bad certificate", "10.0.0.2"},
			{"a server of another authority", tlstest.NewDir(t, theirs, ours, serverLeaf), tlstest.NewDir(t, ours, ours, clientLeaf), "forecaster", "bad certificate", "unknown authority"},
			{"a client of another authority", tlstest.NewDir(t, ours, ours, serverLeaf), tlstest.NewDir(t, theirs, ours, clientLeaf), "forecaster", `certificate of "keda": x509: certificate signed by unknown authority`, "bad certificate"},
			{"a client with a server's certificate", tlstest.NewDir(t, ours, ours, serverLeaf), tlstest.NewDir(t, ours, ours, swapped), "forecaster", "incompatible key usage", "bad certificate"},
			{"a server with a client's certificate", tlstest.NewDir(t, ours, ours, clientLeaf), tlstest.NewDir(t, ours, ours, clientLeaf), "keda", "bad certificate", "incompatible key usage"},
		} {
			_, onServer, onClient := handshake(t, mustServer(t, tt.server.Files(), nil), mustClient(t, tt.client.Files(), tt.asked))
			if !says(onServer, tt.onServer) || !says(onClient, tt.onClient) {
				t.Errorf("%s: server %v, client %v; want %q, %q", tt.name, onServer, onClient, tt.onServer, tt.onClient)
			}
		}

		// A server that names its clients, and one that takes those without a certificate.
		files := tlstest.NewDir(t, ours, ours, serverLeaf).Files()
		choosy, lenient := files, files
		choosy.ClientNames, lenient.Anonymous = "nobody, keda", true
		other, none := tlstest.NewDir(t, ours, ours, tlstest.Client("web")).Files(), tlsconfig.Files{CA: files.CA}
		foreign := tlstest.NewDir(t, theirs, ours, clientLeaf).Files()
		for _, tt := range []struct {
			name           string
			server, client tlsconfig.Files
			onServer       string
		}{
			{"the name wanted", choosy, tlstest.NewDir(t, ours, ours, clientLeaf).Files(), ""},
			{"another name", choosy, other, `certificate of "web": bears none of the names nobody, keda`},
			{"no certificate where names are wanted", choosy, none, "didn't provide a certificate"},
			{"no certificate where none is needed", lenient, none, ""},
			{"another's where none is needed", lenient, foreign, "unknown authority"},
		} {
			if _, onServer, _ := handshake(t, mustServer(t, tt.server, nil), mustClient(t, tt.client, "forecaster")); !says(onServer, tt.onServer) {
				t.Errorf("%s: server %v; want %q", tt.name, onServer, tt.onServer)
			}
		}

		server := mustServer(t, tlstest.NewDir(t, ours, ours, serverLeaf).Files(), nil)
		stranger := tlstest.NewDir(t, ours, ours, clientLeaf).Files()
		stranger.Cert, stranger.Key = "", ""
		if _, err, _ := handshake(t, server, mustClient(t, stranger, "forecaster")); !says(err, "didn't provide a certificate") {
			t.Errorf("a client without a certificate: server %v", err)
		}
		nameless := mustClient(t, stranger, "")
		nameless.ServerName = "10.0.0.1" // as an HTTP client sets it
		if _, _, err := handshake(t, server, nameless); !says(err, "reached by its IP address") {
			t.Errorf("a server reached by its address: client %v", err)
		}
		old := mustClient(t, tlstest.NewDir(t, ours, ours, clientLeaf).Files(), "forecaster")
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
		first, second := tlstest.NewAuthority(t, "first", 24*time.Hour), tlstest.NewAuthority(t, "second", 24*time.Hour)
		server, client := tlstest.NewDir(t, first, first, serverLeaf), tlstest.NewDir(t, first, first, clientLeaf)
		var reports []string
		serverConfig := mustServer(t, server.Files(), func(err error) { reports = append(reports, err.Error()) })
		clientConfig := mustClient(t, client.Files(), "forecaster")
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
		server.Renew(t, first, serverLeaf)
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
		newCert, newKey := first.Issue(t, serverLeaf)
		server.Write(t, "tls.crt", newCert)
		for range 3 {
			time.Sleep(2 * time.Second)
			if presented("half written") != after {
				t.Error("a certificate without its key is in use")
			}
		}
		if len(reports) != 1 || !strings.Contains(reports[0], "tls.key") || !strings.Contains(reports[0], "does not match") {
			t.Errorf("reports = %q; want one, that the key does not match", reports)
		}
		server.Write(t, "tls.key", newKey)
		time.Sleep(2 * time.Second)
		if presented("mended") == after || len(reports) != 1 {
			t.Errorf("the mended pair is not in use, or reported: %q", reports)
		}

		// A file that goes missing is reported, once, and changes nothing.
		if err := os.Remove(server.Path("ca.crt")); err != nil {
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
		both := append(bytes.Clone(first.PEM), second.PEM...)
		server.Write(t, "ca.crt", both)
		client.Write(t, "ca.crt", both)
		time.Sleep(2 * time.Second)
		presented("both trusted")
		client.Renew(t, second, clientLeaf)
		server.Renew(t, second, serverLeaf)
		time.Sleep(2 * time.Second)
		presented("both renewed") // may resume

		// Who still has only what the first authority issued is now a stranger.
		server.Write(t, "ca.crt", second.PEM)
		time.Sleep(2 * time.Second)
		late := mustClient(t, tlstest.NewDir(t, first, second, clientLeaf).Files(), "forecaster")
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
		first, second := tlstest.NewAuthority(t, "first", 24*time.Hour), tlstest.NewAuthority(t, "second", 24*time.Hour)
		server, client := tlstest.NewDir(t, first, first, serverLeaf), tlstest.NewDir(t, first, first, clientLeaf)
		serverConfig, clientConfig := mustServer(t, server.Files(), nil), mustClient(t, client.Files(), "forecaster")
		clientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(8)
		for _, resumed := range []bool{false, true} {
			state, onServer, onClient := handshake(t, serverConfig, clientConfig)
			if onServer != nil || onClient != nil || state.DidResume != resumed {
				t.Fatalf("resumed %t, server %v, client %v; want resumed %t", state.DidResume, onServer, onClient, resumed)
			}
		}
		server.Write(t, "ca.crt", second.PEM)
		time.Sleep(2 * time.Second)
		if _, err, _ := handshake(t, serverConfig, clientConfig); !says(err, "unknown authority") {
			t.Errorf("server %v; want the resumed session refused", err)
		}
	})
}

func TestACertificateThatExpiresInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours := tlstest.NewAuthority(t, "ours", 24*time.Hour)
		server := mustServer(t, tlstest.NewDir(t, ours, ours, serverLeaf).Files(), nil)
		client := mustClient(t, tlstest.NewDir(t, ours, ours, clientLeaf).Files(), "forecaster")
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
	ours := tlstest.NewAuthority(t, "ours", 24*time.Hour)
	server := mustServer(t, tlstest.NewDir(t, ours, ours, serverLeaf).Files(), nil)
	client := mustClient(t, tlsconfig.Files{}, "forecaster")
	if _, _, err := handshake(t, server, client); err == nil {
		t.Error("a server of an authority nobody trusts was accepted")
	}
}

func TestFaultsNameTheFileAndWhatIsWrong(t *testing.T) {
	ours, expired := tlstest.NewAuthority(t, "ours", 24*time.Hour), tlstest.NewAuthority(t, "gone", -time.Minute)
	for _, tt := range []struct {
		name  string
		spoil func(*testing.T, tlstest.Dir)
		want  string
	}{
		{"missing", func(t *testing.T, d tlstest.Dir) { remove(t, d, "tls.crt") }, "tls.crt: no such file"},
		{"missing key", func(t *testing.T, d tlstest.Dir) { remove(t, d, "tls.key") }, "tls.key: no such file"},
		{"empty", func(t *testing.T, d tlstest.Dir) { d.Write(t, "tls.crt", nil) }, "tls.crt: holds no PEM certificate"},
		{"no PEM", func(t *testing.T, d tlstest.Dir) { d.Write(t, "ca.crt", []byte("hello")) }, "ca.crt: holds no PEM certificate"},
		{"a key for a certificate", func(t *testing.T, d tlstest.Dir) {
			_, key := ours.Issue(t, serverLeaf)
			d.Write(t, "tls.crt", key)
		}, "tls.crt: holds no PEM certificate"},
		{"not a certificate", func(t *testing.T, d tlstest.Dir) {
			d.Write(t, "tls.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))
		}, "tls.crt: x509"},
		{"no key", func(t *testing.T, d tlstest.Dir) { d.Write(t, "tls.key", []byte("hello")) }, "tls.key: holds no PEM"},
		{"another's key", func(t *testing.T, d tlstest.Dir) {
			_, key := ours.Issue(t, serverLeaf)
			d.Write(t, "tls.key", key)
		}, "does not match"},
		{"expired", func(t *testing.T, d tlstest.Dir) {
			d.Renew(t, ours, tlstest.Leaf{Name: "old", From: -2 * time.Hour, Life: -time.Minute})
		}, `tls.crt of "old": expired at `},
		{"not yet valid", func(t *testing.T, d tlstest.Dir) {
			d.Renew(t, ours, tlstest.Leaf{Name: "new", From: time.Hour, Life: 2 * time.Hour})
		}, `tls.crt of "new": not valid before `},
		{"expired authority", func(t *testing.T, d tlstest.Dir) { d.Write(t, "ca.crt", expired.PEM) }, `ca.crt of "gone": expired at `},
	} {
		d := tlstest.NewDir(t, ours, ours, serverLeaf)
		tt.spoil(t, d)
		config, err := tlsconfig.Server(d.Files(), nil)
		if config != nil || !says(err, tt.want) || !strings.Contains(err.Error(), string(d)) {
			t.Errorf("%s: Server = %v; want %q and the path", tt.name, err, tt.want)
		}
		if _, err := tlsconfig.Client(d.Files(), nil); !says(err, tt.want) {
			t.Errorf("%s: Client = %v; want %q", tt.name, err, tt.want)
		}
	}

	d := tlstest.NewDir(t, ours, ours, serverLeaf)
	d.Write(t, "ca.crt", append(bytes.Clone(expired.PEM), ours.PEM...))
	if _, err := tlsconfig.Server(d.Files(), nil); err != nil {
		t.Errorf("a bundle with an expired authority beside a good one: %v", err)
	}
}

func remove(t *testing.T, d tlstest.Dir, name string) {
	t.Helper()
	if err := os.Remove(d.Path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
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
	log := slog.New(slog.DiscardHandler)
	for name, orNone := range map[string]func(tlsconfig.Files, *slog.Logger) (*tls.Config, error){"ServerOrNone": tlsconfig.ServerOrNone, "ClientOrNone": tlsconfig.ClientOrNone} {
		if config, err := orNone(tlsconfig.Files{}, log); config != nil || err != nil {
			t.Errorf("%s({}) = %v, %v; want neither", name, config, err)
		}
		if _, err := orNone(tlsconfig.Files{Cert: "a"}, log); err == nil {
			t.Errorf("%s({Cert: a}) = nil", name)
		}
	}
}
