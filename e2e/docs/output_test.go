package docs_test

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	numeral = regexp.MustCompile(`\d+(?:\.\d+)?`)
	blanks  = regexp.MustCompile(`[ \t]+`)
)

// differs says how what was printed is not what was wanted, or nothing.
func differs(want, got string) string {
	wanted, printed := strings.Split(strings.TrimRight(want, "\n "), "\n"), strings.Split(strings.TrimRight(got, "\n "), "\n")
	for len(wanted) > 0 {
		if strings.TrimSpace(wanted[0]) == "…" {
			wanted = wanted[1:]
			for len(printed) > 0 && (len(wanted) == 0 || line(wanted[0], printed[0]) != "") {
				printed = printed[1:]
			}
			continue
		}
		if len(printed) == 0 {
			return fmt.Sprintf("nothing was printed for the line %q", wanted[0])
		}
		if fault := line(wanted[0], printed[0]); fault != "" {
			return fault
		}
		wanted, printed = wanted[1:], printed[1:]
	}
	if len(printed) > 0 {
		return fmt.Sprintf("more was printed than the document has, from the line %q on", printed[0])
	}
	return ""
}

// line compares two lines: numbers about, … not at all, the widths of blanks not.
func line(want, got string) string {
	want, got = strings.TrimSpace(blanks.ReplaceAllString(want, " ")), strings.TrimSpace(blanks.ReplaceAllString(got, " "))
	re, numbers := about(want)
	found := re.FindStringSubmatch(got)
	if found == nil {
		return fmt.Sprintf("the line\n%s\nwas printed as\n%s", want, got)
	}
	for i, n := range numbers {
		m, err := strconv.ParseFloat(found[i+1], 64)
		if err != nil || math.Abs(n-m) > slack(n, m, found[i+1]) {
			return fmt.Sprintf("the line\n%s\nwas printed as\n%s\nwith %s for %g", want, got, found[i+1], n)
		}
	}
	return ""
}

// slack is how far two numbers may be apart: a quarter, and five where it is a
// measurement, with decimals, of more than one of something.
func slack(n, m float64, printed string) float64 {
	s := 0.1 + 0.25*max(n, m)
	if strings.Contains(printed, ".") && max(n, m) > 1 {
		s += 5
	}
	return s
}

// about is a pattern that catches the numbers of a line, and what they are.
func about(want string) (*regexp.Regexp, []float64) {
	var b strings.Builder
	var numbers []float64
	b.WriteString("^")
	rest := want
	for {
		place := numeral.FindStringIndex(rest)
		if place == nil {
			break
		}
		b.WriteString(words(rest[:place[0]]) + `(\d+(?:\.\d+)?)`)
		n, err := strconv.ParseFloat(rest[place[0]:place[1]], 64)
		if err != nil {
			n = math.NaN() // cannot be: it is a numeral
		}
		numbers = append(numbers, n)
		rest = rest[place[1]:]
	}
	b.WriteString(words(rest) + "$")
	return regexp.MustCompile(b.String()), numbers
}

func words(s string) string { return strings.ReplaceAll(regexp.QuoteMeta(s), "…", ".*?") }

func TestDiffers(t *testing.T) {
	for _, tt := range []struct {
		want, got string
		same      bool
	}{
		{"a 100 b", "a    110 b\n", true},
		{"a 100 b", "a 150 b", false},
		{"at … it is 3", "at 12:04 it is 3", true},
		{"first\n…\nlast 1", "first\nsecond\nthird\nlast 1", true},
		{"first\n…\nlast", "first\nsecond", false},
		{"one", "one\ntwo", false},
		{"one\ntwo", "one", false},
		{"9.2 min", "14.2 min", true},
		{"ended with 2", "ended with 3", false},
		{"0.19 p97.5", "0.21 p97.5", true},
		{"skill 0.05", "skill 0.6", false},
	} {
		if fault := differs(tt.want, tt.got); (fault == "") != tt.same {
			t.Errorf("differs(%q, %q) = %q; want the same: %v", tt.want, tt.got, fault, tt.same)
		}
	}
}
