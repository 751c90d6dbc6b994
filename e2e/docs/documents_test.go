package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kedastral/kedastral/shared/docstest"
)

// root is the tree that the documents are about.
const root = "../.."

// binaries holds forecaster, scaler and demo.
var binaries string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kedastral-docs-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	build := exec.Command("go", "build", "-trimpath", "-o", dir, "./forecaster", "./scaler", "./e2e/demo")
	build.Dir, build.Stdout, build.Stderr = root, os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building the binaries:", err)
		return 1
	}
	binaries = dir
	return m.Run()
}

// documents are all that people read, but for what others wrote.
func documents(t *testing.T) []docstest.Document {
	t.Helper()
	var all []docstest.Document
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git" || entry.Name() == "out"):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".md"):
			return nil
		}
		d, err := docstest.Read(path)
		if err != nil {
			t.Error(err) // and see to the other documents, too
		}
		all = append(all, d)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 2 {
		t.Fatalf("%d documents found: the README and docs/ must be among them", len(all))
	}
	return all
}

// name is how a document is called in the tree.
func name(d docstest.Document) string {
	rel, err := filepath.Rel(root, d.Path)
	if err != nil {
		return d.Path
	}
	return rel
}

func at(d docstest.Document, line int) string { return fmt.Sprintf("%s:%d", name(d), line) }

// text is a file of the tree.
func text(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// tree is the text of all files below a folder of the tree.
func tree(t *testing.T, folders ...string) string {
	t.Helper()
	var b strings.Builder
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(path, ".csv") || strings.HasSuffix(path, ".sum") || strings.HasSuffix(path, ".md") {
				return err
			}
			content, err := os.ReadFile(path)
			b.Write(content)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}
