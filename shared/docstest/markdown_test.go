package docstest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kedastral/kedastral/shared/docstest"
)

const document = `# The first, with ` + "`code`" + `

See [there](other.md#part), ![picture](a.svg "title") and <img src="b.svg">; ` + "`[not](a-link)`" + `.

- a list

    goes on here

` + "```sh run\n$ one\ntwo\n```" + `

## The first, with code
`

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "doc.md")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRead(t *testing.T) {
	path := write(t, document)
	got, err := docstest.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	want := docstest.Document{
		Path:    path,
		Fences:  []docstest.Fence{{Line: 10, Info: []string{"sh", "run"}, Text: "$ one\ntwo\n"}},
		Links:   []docstest.Mention{{3, "other.md#part"}, {3, "a.svg"}, {3, "b.svg"}},
		Spans:   []docstest.Mention{{1, "code"}, {3, "[not](a-link)"}},
		Anchors: map[string]bool{"the-first-with-code": true, "the-first-with-code-1": true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Read (-want +got):\n%s", diff)
	}
}

func TestReadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"text\n\n    indented\n": ":3: an indented block",
		"text\n```sh run\nls\n":  ":2: a fence that is not closed",
	} {
		if _, err := docstest.Read(write(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Read(%q): %v; want %q in the error", text, err, want)
		}
	}
}

func TestReplace(t *testing.T) {
	d, err := docstest.Read(write(t, document))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Replace(d.Fences[0], "$ three\n"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(d.Path)
	if err != nil || string(got) != strings.Replace(document, "$ one\ntwo\n", "$ three\n", 1) {
		t.Errorf("Replace left %v:\n%s", err, got)
	}
	if err := d.Replace(d.Fences[0], "$ four\n"); err == nil {
		t.Error("Replace of what is not there any more: no error")
	}
}
