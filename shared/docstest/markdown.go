package docstest

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"unicode"
)

// Document is what tests look at in a Markdown file.
type Document struct {
	Path    string
	Fences  []Fence
	Links   []Mention // targets, of images too
	Spans   []Mention // what stands in `backquotes` outside of fences
	Anchors map[string]bool
}

// Fence is a block between two lines of ```.
type Fence struct {
	Line int      // of its first line of text, from 1
	Info []string // the words after the opening ```
	Text string
}

// Kind is the fence's info as one text: "sh run".
func (f Fence) Kind() string { return strings.Join(f.Info, " ") }

// Mention is a text and the line it stands in.
type Mention struct {
	Line int
	Text string
}

var (
	heading = regexp.MustCompile(`^#{1,6} +(.*?) *#*$`)
	link    = regexp.MustCompile(`\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)|(?:src|href|srcset)="([^"]+)"`)
	span    = regexp.MustCompile("(`+)(.+?)(`+)")
	markup  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)|[*]+|` + "`")
)

// Read reads a Markdown file. Blocks that are code only because they are
// indented are refused: nobody can say of them how they are checked.
func Read(path string) (Document, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Document{}, err
	}
	d := Document{Path: path, Anchors: map[string]bool{}}
	var errs []error
	var open *Fence
	var indent string // of the open fence, in a list
	blank, list := true, false
	for i, line := range strings.Split(string(content), "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case open == nil && strings.HasPrefix(trimmed, "```"):
			indent, _, _ = strings.Cut(line, "`")
			open = &Fence{Line: i + 2, Info: strings.Fields(strings.TrimLeft(trimmed, "`"))}
		case open != nil && strings.HasPrefix(trimmed, "```"):
			d.Fences, open = append(d.Fences, *open), nil
		case open != nil:
			open.Text += strings.TrimPrefix(line, indent) + "\n"
		case blank && !list && strings.HasPrefix(line, "    ") && trimmed != "":
			errs = append(errs, fmt.Errorf("%s:%d: an indented block of code: must be a fence that says how it is checked", path, i+1))
		default:
			d.line(i+1, line)
		}
		if trimmed != "" && !strings.HasPrefix(line, " ") {
			list = strings.HasPrefix(line, "- ") || strings.HasPrefix(line, "* ") || len(line) > 1 && unicode.IsDigit(rune(line[0]))
		}
		blank = trimmed == ""
	}
	if open != nil {
		errs = append(errs, fmt.Errorf("%s:%d: a fence that is not closed", path, open.Line-1))
	}
	return d, errors.Join(errs...)
}

// line collects what stands in one line outside of fences.
func (d *Document) line(n int, text string) {
	if found := heading.FindStringSubmatch(text); found != nil {
		d.anchor(found[1])
	}
	for _, found := range span.FindAllStringSubmatch(text, -1) {
		d.Spans = append(d.Spans, Mention{n, strings.TrimSpace(found[2])})
	}
	for _, found := range link.FindAllStringSubmatch(span.ReplaceAllString(text, ""), -1) {
		d.Links = append(d.Links, Mention{n, found[1] + found[2]})
	}
}

// anchor adds the name by which a heading is linked to, as GitHub makes it.
func (d *Document) anchor(title string) {
	var b strings.Builder
	for _, r := range strings.ToLower(markup.ReplaceAllString(title, "$1")) {
		switch {
		case r == ' ':
			b.WriteRune('-')
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		}
	}
	name := b.String()
	for i := 1; d.Anchors[name]; i++ {
		name = fmt.Sprintf("%s-%d", b.String(), i)
	}
	d.Anchors[name] = true
}

// Replace writes a fence's text anew into its file.
func (d Document) Replace(f Fence, text string) error {
	content, err := os.ReadFile(d.Path)
	if err != nil {
		return err
	}
	lines := strings.SplitAfter(string(content), "\n")
	before, after := strings.Join(lines[:f.Line-1], ""), strings.Join(lines[f.Line-1:], "")
	rest, ok := strings.CutPrefix(after, f.Text)
	if !ok {
		return fmt.Errorf("%s:%d: the fence has changed since it was read", d.Path, f.Line)
	}
	return os.WriteFile(d.Path, []byte(before+text+rest), 0o644) //nolint:gosec // a document, for everybody to read
}

// Updating reports whether the test was asked to write documents.
func Updating() bool { return *update }
