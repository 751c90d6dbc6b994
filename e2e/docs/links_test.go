package docs_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kedastral/kedastral/shared/docstest"
)

// Every relative link leads to a file, and its anchor to a heading.
func TestLinks(t *testing.T) {
	checked := 0
	for _, d := range documents(t) {
		for _, l := range d.Links {
			u, err := url.Parse(l.Text)
			if err != nil {
				t.Errorf("%s: link %s: %v", at(d, l.Line), l.Text, err)
				continue
			}
			if u.Scheme != "" {
				if u.Scheme != "https" && u.Scheme != "mailto" {
					t.Errorf("%s: link %s: must be relative, https or mailto", at(d, l.Line), l.Text)
				}
				continue
			}
			checked++
			if fault := follow(d, u); fault != "" {
				t.Errorf("%s: link %s: %s", at(d, l.Line), l.Text, fault)
			}
		}
	}
	t.Logf("%d relative links lead somewhere", checked)
}

func follow(d docstest.Document, u *url.URL) string {
	target := d
	if u.Path != "" {
		path := filepath.Join(filepath.Dir(d.Path), filepath.FromSlash(u.Path))
		if _, err := os.Stat(path); err != nil {
			return "there is no such file"
		}
		if u.Fragment == "" {
			return ""
		}
		if !strings.HasSuffix(path, ".md") {
			return "only a document has headings"
		}
		var err error
		if target, err = docstest.Read(path); err != nil {
			return err.Error()
		}
	}
	if !target.Anchors[u.Fragment] {
		return "there is no such heading"
	}
	return ""
}
