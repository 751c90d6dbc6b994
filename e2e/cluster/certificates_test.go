//go:build e2e

package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kedastral/kedastral/e2e/cluster/plane"
)

// certify writes fresh certificates into the namespace's Secrets, those of them
// that components/mtls wants, as cert-manager would when they run out. They are
// signed by the first authority; their bearers trust all of them.
func (h *home) certify(ctx context.Context, namespace string, authorities ...*plane.Authority) error {
	if len(authorities) == 0 {
		authorities = []*plane.Authority{h.keys}
	}
	var trusted bytes.Buffer
	for _, a := range authorities {
		trusted.Write(a.PEM)
	}
	scaler := "kedastral-scaler." + namespace + ".svc"
	for name, host := range map[string]string{
		"kedastral-scaler-tls":        scaler,
		"kedastral-scaler-client":     "keda",
		"kedastral-forecaster-tls":    "kedastral-forecaster." + namespace + ".svc",
		"kedastral-forecaster-client": scaler,
	} {
		pair, err := authorities[0].Issue(filepath.Join(h.work, namespace, name), host, host)
		if err != nil {
			return err
		}
		data := map[string][]byte{"ca.crt": trusted.Bytes()}
		for key, file := range map[string]string{"tls.crt": pair.Cert, "tls.key": pair.Key} {
			if data[key], err = os.ReadFile(file); err != nil {
				return fmt.Errorf("reading %s: %w", file, err)
			}
		}
		if err := h.keep(ctx, namespace, name, data); err != nil {
			return err
		}
	}
	return nil
}

// keep writes a Secret.
func (h *home) keep(ctx context.Context, namespace, name string, data map[string][]byte) error {
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Data:       data,
	})
	if err != nil {
		return fmt.Errorf("encoding secret %s: %w", name, err)
	}
	return h.apply(ctx, &unstructured.Unstructured{Object: object})
}

// remount does what a kubelet does when a mounted Secret has changed: the pods
// find the new files where the old ones were.
func (s *service) remount(ctx context.Context) error {
	if s.h.local == nil {
		return nil // the kubelet does, within a minute or so
	}
	for _, p := range s.pods {
		if _, err := s.h.mounts(ctx, s.deploy, p.dir); err != nil {
			return err
		}
	}
	return nil
}

// secret reads a Secret of the cluster.
func (h *home) secret(ctx context.Context, namespace, name string) (secret corev1.Secret, err error) {
	return secret, h.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &secret)
}

// admits connects to a scaler as KEDA would with that Secret, and is an error
// unless each side accepts the other's certificate.
func (s *service) admits(ctx context.Context, p *pod, as corev1.Secret) error {
	pair, err := tls.X509KeyPair(as.Data["tls.crt"], as.Data["tls.key"])
	if err != nil {
		return fmt.Errorf("reading the pair of %s: %w", as.Name, err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(as.Data["ca.crt"])
	dialer := tls.Dialer{Config: &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, RootCAs: pool,
		ServerName: s.deploy.Name + "." + s.deploy.Namespace + ".svc", NextProtos: []string{"h2"},
	}}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", p.address+":50051")
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetReadDeadline(deadline); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1)) // the server's first frame, or its alert
	return err
}

// refuses is an error unless the other side's certificate is why one of the two
// does not connect.
func (s *service) refuses(ctx context.Context, p *pod, as corev1.Secret) error {
	err := s.admits(ctx, p, as)
	if err == nil {
		return fmt.Errorf("%s still admits %s", p.process.Name, as.Name)
	}
	if text := err.Error(); strings.Contains(text, "certificate") || strings.Contains(text, "unknown authority") {
		return nil
	}
	return err
}
