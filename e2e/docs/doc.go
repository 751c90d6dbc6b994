// Package docs reads the documents as their readers do: it types every command
// into a shell, writes every file that they say to write, and looks up every
// name that they mention.
//
// Each fence in a document says after its opening ``` how it is checked; one
// that does not say so fails the test. A document's fences share one shell in a
// copy of this tree, with a network of its own where the system allows that.
//
//	sh run               typed in; must succeed
//	sh serve URL         started and left running until the document ends; URL must answer 200
//	console run          lines that begin with $ are typed in; what they print must be what follows
//	sh tree              scripts of this tree that the tests cannot call, for they call the tests:
//	                     each must exist, and its usage must know the flags
//	sh cluster           kubectl, kind, helm, docker: verbs and flags must be known, folders must
//	                     render, files must exist, names that are ours must be in the manifests;
//	                     forecaster: its help must know the flags; curl: its routes must exist
//	yaml put=PATH        written to PATH for the commands after it, env put=PATH likewise;
//	                     kustomizations must render
//	yaml file=PATH       must be a part of that file, comments aside
//	json                 must parse
//	promql               must parse, a query each line
//	text                 not checked: drawings, formulas, trees
//
// In what a command prints, … stands for anything, alone in a line for any
// number of lines, and numbers may differ by a quarter: models get better.
// go test ./e2e/docs -update writes the blocks without … anew.
package docs
