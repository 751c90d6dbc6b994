package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sound is a Dockerfile that breaks no rule; a row adds to it or replaces it.
const sound = "FROM golang:1.26 AS build\nFROM scratch\nCOPY --from=build /out/x /x\nUSER 65532\nENTRYPOINT [\"/x\"]\n"

func lint(t *testing.T, text string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "Dockerfile")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := exec.CommandContext(t.Context(), "../scripts/lint-dockerfile", path).CombinedOutput()
	return string(said), err
}

// The Dockerfile breaks none of hadolint's rules that its stand-in knows, and the
// stand-in notices each of them.
func TestDockerfileRules(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("hadolint"); err == nil {
		t.Skip("hadolint itself is here, and scripts/image runs it")
	}
	if said, err := exec.CommandContext(t.Context(), "../scripts/lint-dockerfile").CombinedOutput(); err != nil {
		t.Errorf("our Dockerfile: %v: %s", err, said)
	}
	if said, err := lint(t, sound); err != nil {
		t.Errorf("a sound one: %v: %s", err, said)
	}
	for _, row := range []struct{ rule, breaks string }{
		{"DL1001", "# hadolint ignore=DL3006\n" + sound},
		{"DL3000", sound + "WORKDIR here\n"},
		{"DL3001", sound + "RUN ps aux\n"},
		{"DL3002", sound + "USER root\n"},
		{"DL3003", sound + "RUN cd /tmp && make\n"},
		{"DL3004", sound + "RUN sudo make\n"},
		{"DL3005", sound + "RUN apt-get dist-upgrade\n"},
		{"DL3006", "FROM golang\nUSER 1\n"},
		{"DL3007", "FROM golang:latest\nUSER 1\n"},
		{"DL3008", sound + "RUN apt-get install -y jq\n"},
		{"DL3011", sound + "EXPOSE 70000\n"},
		{"DL3012", sound + "HEALTHCHECK CMD x\nHEALTHCHECK CMD y\n"},
		{"DL3013", sound + "RUN pip install flask\n"},
		{"DL3016", sound + "RUN npm install left-pad\n"},
		{"DL3020", sound + "ADD x /x\n"},
		{"DL3021", sound + "COPY x y /z\n"},
		{"DL3022", sound + "COPY --from=elsewhere /x /x\n"},
		{"DL3023", "FROM golang:1.26 AS a\nCOPY --from=a /x /x\nUSER 1\n"},
		{"DL3024", "FROM golang:1.26 AS a\nFROM golang:1.26 AS a\nUSER 1\n"},
		{"DL3025", sound + "CMD x\n"},
		{"DL3027", sound + "RUN apt update\n"},
		{"DL3029", "FROM --platform=linux/amd64 golang:1.26\nUSER 1\n"},
		{"DL3044", sound + "ENV P=/x:$P\n"},
		{"DL3045", sound + "COPY x x\n"},
		{"DL3046", sound + "RUN useradd me\n"},
		{"DL3048", sound + "LABEL Title=x\n"},
		{"DL3059", sound + "RUN a\nRUN b\n"},
		{"DL3061", "USER 1\nFROM golang:1.26\nUSER 1\n"},
		{"DL3062", sound + "RUN go install example.org/x@latest\n"},
		{"DL4000", sound + "MAINTAINER me\n"},
		{"DL4001", sound + "RUN wget x && curl y\n"},
		{"DL4003", sound + "CMD [\"x\"]\nCMD [\"y\"]\n"},
		{"DL4004", sound + "ENTRYPOINT [\"x\"]\n"},
		{"DL4005", sound + "RUN ln -sf /bin/bash /bin/sh\n"},
		{"DL4006", sound + "RUN a | b\n"},
		{"SC2086", sound + "RUN x=\"a b\" && rm $x\n"},
	} {
		if said, err := lint(t, row.breaks); err == nil || !strings.Contains(said, row.rule) {
			t.Errorf("%s is not reported, %v, %q, of\n%s", row.rule, err, said, row.breaks)
		}
	}
}
