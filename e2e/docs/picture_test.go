package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// The picture says what the demo's day gives: drawn again, it has about the
// numbers that the committed one has.
func TestPicture(t *testing.T) {
	path := filepath.Join(t.TempDir(), "picture.svg")
	draw := exec.Command(filepath.Join(binaries, "demo"), "-picture", path)
	draw.Dir = root
	if out, err := draw.CombinedOutput(); err != nil {
		t.Fatalf("drawing: %v\n%s", err, out)
	}
	drawn, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	title := regexp.MustCompile(`<title[^>]*>.*</title>`)
	want, got := title.FindString(text(t, "docs/picture.svg")), title.FindString(string(drawn))
	if want == "" || got == "" {
		t.Fatalf("a picture without a title: committed %q, drawn %q", want, got)
	}
	if fault := line(want, got); fault != "" {
		t.Errorf("docs/picture.svg is not what the demo gives now, scripts/picture draws it: %s", fault)
	}
}
