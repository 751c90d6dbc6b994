package plane

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Token is a fresh token of a service account, for the audiences given or for
// the API server where there are none.
func Token(ctx context.Context, config *rest.Config, namespace, account string, audiences ...string) (string, error) {
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return "", fmt.Errorf("making a client: %w", err)
	}
	answer, err := clients.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences}}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("asking for a token of %s/%s: %w", namespace, account, err)
	}
	return answer.Status.Token, nil
}

// AccountConfig is a kubeconfig with which a process has exactly the rights of
// the service account.
func (p *Plane) AccountConfig(ctx context.Context, namespace, account string) (string, error) {
	token, err := Token(ctx, p.Config, namespace, account)
	if err != nil {
		return "", err
	}
	config := api.NewConfig()
	config.Clusters["plane"] = &api.Cluster{Server: p.Config.Host, CertificateAuthorityData: p.Config.CAData}
	config.AuthInfos[account] = &api.AuthInfo{Token: token}
	config.Contexts["plane"] = &api.Context{Cluster: "plane", AuthInfo: account, Namespace: namespace}
	config.CurrentContext = "plane"
	path := p.work(namespace + "-" + account + ".kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return "", fmt.Errorf("writing a kubeconfig for %s/%s: %w", namespace, account, err)
	}
	return path, nil
}
