// Command decode reads lists of JobFlows, JobTemplates and Jobs, one JSON document a line, with the decoder that
// client-go uses, and writes what it has understood of each, one a line. A document that does not decode ends it with
// code 1 and a line on stderr that says which and where.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
)

const longestLine = 64 << 20

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, longestLine)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for number := 1; lines.Scan(); number++ {
		understood, err := decode(lines.Bytes())
		if err == nil {
			err = json.NewEncoder(out).Encode(understood)
		}
		if err != nil {
			out.Flush()
			fmt.Fprintf(os.Stderr, "document %d: %v\n", number, err)
			os.Exit(1)
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func decode(document []byte) (any, error) {
	var kind metav1.TypeMeta
	if err := kjson.UnmarshalCaseSensitivePreserveInts(document, &kind); err != nil {
		return nil, err
	}
	known := map[string]any{
		"JobFlow":         &jobFlow{},
		"JobFlowList":     &list[jobFlow]{},
		"JobTemplate":     &jobTemplate{},
		"JobTemplateList": &list[jobTemplate]{},
		"Job":             &job{},
		"JobList":         &list[job]{},
	}
	into, ok := known[kind.Kind]
	if !ok {
		return nil, fmt.Errorf("kind %q is not known here", kind.Kind)
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(document, into); err != nil {
		return nil, fmt.Errorf("%s: %w", kind.Kind, err)
	}
	return into, nil
}
