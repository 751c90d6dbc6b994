//go:build e2e

package cluster

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The home of a cluster given by KUBECONFIG is entered here too: this program runs
// once more, on our own API server, with those tests that need no pod that answers.
// What it cannot show is real kubelets; scripts/e2e kind has them.
//
// The test is not parallel: it writes certificates that others hold.
func TestHomeGivenByKubeconfig(t *testing.T) {
	if here.local == nil {
		t.Skip("this is that home")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tests := []string{"TestAdmissionRefuses", "TestDeploymentsRollOut", "TestManifestsAreAccepted", "TestRestrictedIsEnforced"}
	cmd := exec.CommandContext(t.Context(), self, "-test.v", "-test.run", "^("+strings.Join(tests, "|")+")$")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+here.local.Kubeconfig(), "E2E_HOST_IP=10.111.0.2")
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, said)
	}
	for _, name := range tests {
		if !strings.Contains(string(said), "--- PASS: "+name+" ") {
			t.Errorf("%s did not pass:\n%s", name, said)
		}
	}
	for _, namespace := range here.certified() {
		if err := here.certify(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
	}
}
