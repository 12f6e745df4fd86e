package roster

import "strings"

// readHtpasswd reads Apache's and nginx's files of names and hashes.
func readHtpasswd(text string) (drafts []draft, faults []Fault) {
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, hash, ok := strings.Cut(line, ":")
		if !ok || name == "" {
			faults = append(faults, Fault{Line: i + 1, Err: Problem{Kind: NoColon}})
			continue
		}
		hash, _, _ = strings.Cut(hash, ":") // some tools put a comment after it
		drafts = append(drafts, draft{line: i + 1, login: name, hash: hash})
	}
	return drafts, faults
}
