package env

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteHelp prints the variables of cfg for a terminal, prefix before each
// name: its name, its default or that it is required, and what it is.
func WriteHelp(w io.Writer, prefix string, cfg any) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range Fields(cfg) {
		standard := f.Default
		if f.Required {
			standard = "(required)"
		}
		fmt.Fprintf(t, "  %s%s\t%s\t%s\n", prefix, f.Name, standard, f.Doc)
	}
	return t.Flush()
}
