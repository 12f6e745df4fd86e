package roster

import (
	"testing"

	"go.yaml.in/yaml/v3"
)

// FuzzYAML compares with a library for all of YAML: whatever is read here is read there, as the
// same.
func FuzzYAML(f *testing.F) {
	for _, text := range []string{
		"a: b\nc:\n  - d\n  - e: f\n    g: [h, {i: j}]\n",
		"users:\n  ada: {email: a@x.org, groups: [ops, 'dev', \"x\"], n: ~}\n",
		"---\na:\n- b\n-\n  - c\n- - d\n  - e\n# end\n...\n",
		"'it''s': \"\\x41\\u00e9\\\"\" # comment\nb: c#d\ne: f # g\nh: 'i' # j\n",
		"a: -1\nb: ?x\nc: :y\nd: [-1, a:b, c d]\ne: {}\nf: []\ng:\n",
		"true: yes\n1: 2\n0x1f: 1e3\n2001-01-01: null\n",
		"a: http://x/?a=b\nb: [http://x]\n",
		"- a: b\n- - c\n",
		"a: x\n b: y\n",
		"a: {b: c, }\nd: [e, ]\n",
		"a: \"b\" c\n",
		"a: [b: c]\nd: {e:f}\n",
		"? a\n: b\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ours, fault := parseYAML(text)
		if fault != nil || len(ours.entries) == 0 {
			return
		}
		var theirs yaml.Node
		if err := yaml.Unmarshal([]byte(text), &theirs); err != nil {
			t.Fatalf("%q is read as %+v, and by the library not: %v", text, ours, err)
		}
		if !isSame(ours, theirs.Content[0]) {
			t.Fatalf("%q is read as %+v", text, ours)
		}
	})
}

// TestYAML runs the seeds' like through the comparison and demands that they are read.
func TestYAML(t *testing.T) {
	for _, text := range []string{
		"a: b\nc:\n  - d\n  - e: f\n    g: [h, {i: j}]\n",
		"---\na:\n- b\n-\n  - c\n- - d\n  - e\n# end\n...\n",
		"'it''s': \"\\x41\\u00e9\\\"\" # comment\nb: c#d\ne: f # g\nh: 'i' # j\n",
		"a: -1\nb: ?x\nc: :y\nd: [-1, a:b, c d]\ne: {}\nf: []\ng:\nh: ~\n",
	} {
		ours, fault := parseYAML(text)
		var theirs yaml.Node
		err := yaml.Unmarshal([]byte(text), &theirs)
		if fault != nil || err != nil || !isSame(ours, theirs.Content[0]) {
			t.Errorf("%q: %+v %v %v", text, ours, fault, err)
		}
	}
}

func isSame(ours yamlNode, theirs *yaml.Node) bool {
	switch ours.kind {
	case yamlNull:
		return theirs.Kind == yaml.ScalarNode && theirs.Tag == "!!null"
	case yamlText:
		return theirs.Kind == yaml.ScalarNode && theirs.Tag != "!!null" && theirs.Value == ours.text
	case yamlList:
		if theirs.Kind != yaml.SequenceNode || len(theirs.Content) != len(ours.items) {
			return false
		}
		for i, item := range ours.items {
			if !isSame(item, theirs.Content[i]) {
				return false
			}
		}
		return true
	}
	if theirs.Kind != yaml.MappingNode || len(theirs.Content) != 2*len(ours.entries) {
		return false
	}
	for i, e := range ours.entries {
		if theirs.Content[2*i].Value != e.key || !isSame(e.value, theirs.Content[2*i+1]) {
			return false
		}
	}
	return true
}
