package engine

import (
	"strings"
	"testing"
)

// TestServersThatCannotKeepAWorkspace refuses by name what a server tells of itself.
func TestServersThatCannotKeepAWorkspace(t *testing.T) {
	t.Parallel()
	good := server{version: "PostgreSQL 15.20 (Debian)", number: 150020, encoding: "UTF8", fsync: "on", synchronous: "on"}
	if err := good.refuse(false); err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string]func(*server){
		"CockroachDB":            func(s *server) { s.version = "CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu)" },
		"YugabyteDB":             func(s *server) { s.version = "PostgreSQL 15.2-YB-2.25.0.0-b0 on x86_64" },
		"PostgreSQL 13":          func(s *server) { s.number = 130021 },
		"a standby":              func(s *server) { s.standby, s.readOnly = true, true },
		"takes no writes":        func(s *server) { s.readOnly = true },
		"encoding is SQL_ASCII":  func(s *server) { s.encoding = "SQL_ASCII" },
		"fsync off":              func(s *server) { s.fsync = "off" },
		"synchronous_commit off": func(s *server) { s.synchronous = "off" },
	} {
		s := good
		change(&s)
		if err := s.refuse(false); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v; want %q", err, says)
		}
	}
	for _, synchronous := range []string{"on", "local", "remote_write", "remote_apply"} {
		s := good
		if s.synchronous = synchronous; s.refuse(false) != nil {
			t.Errorf("synchronous_commit=%s is refused", synchronous)
		}
	}
}
