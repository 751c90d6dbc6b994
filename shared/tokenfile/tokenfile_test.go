package tokenfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kedastral/kedastral/shared/tokenfile"
)

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A rotated token is in use within a minute, at once after a refusal, and one
// that cannot be read leaves the last in force.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "token")
		write(t, name, "first\n")
		f, err := tokenfile.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		holds := func(want string) {
			t.Helper()
			if got, err := f.Token(); got != want || err != nil {
				t.Errorf("Token() = %q, %v; want %q", got, err, want)
			}
		}
		holds("first")
		write(t, name, "second")
		holds("first")
		time.Sleep(time.Minute)
		holds("second")
		write(t, name, "third")
		f.Expire()
		holds("third")
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got, err := f.Token(); got != "third" || !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Token() without the file = %q, %v; want the last and why", got, err)
		}
	})
}

func TestWhatIsNoToken(t *testing.T) {
	for _, content := range []string{"", " \n", "two words", "two\nlines", "sch\u00f6n", strings.Repeat("x", 20<<10)} {
		name := filepath.Join(t.TempDir(), "token")
		write(t, name, content)
		_, err := tokenfile.Open(name)
		if !errors.Is(err, tokenfile.ErrEmpty) || !strings.Contains(err.Error(), name) {
			t.Errorf("Open of a file that holds %.20q = %v; want the file and the rule", content, err)
		}
		if content := strings.TrimSpace(content); content != "" && strings.Contains(err.Error(), content) {
			t.Errorf("the error tells what the file holds: %v", err)
		}
	}
}
