package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// arrows is what each room may import of the others, and whose home a third
// party is. A new arrow is a decision: it is made here, or not at all.
var arrows = map[string]struct{ packages, importers []string }{
	"gatehouse": {
		packages: []string{"cli", "cli/quiet"},
	},
	"gatehouse/cli": {
		packages: []string{"cli/zones", "handlers", "views", "db", "db/files", "backchannel", "openid", "apps", "mail", "doctor", "roster", "twofactor", "account", "typed"},
		importers: []string{
			"github.com/alecthomas/kong",
			"github.com/gofrs/flock",
			"golang.org/x/term",
			"golang.org/x/crypto/acme",
			"github.com/VictoriaMetrics/metrics",
			"github.com/coreos/go-systemd",
		},
	},
	"gatehouse/cli/zones": {},
	"gatehouse/cli/quiet": {},
	"gatehouse/handlers": {
		packages: []string{"db", "openid", "views", "apps", "passkeys", "doctor", "twofactor", "account", "typed"},
		importers: []string{
			"github.com/gorilla/sessions",
			"github.com/a-h/templ",
		},
	},
	"gatehouse/views": {
		packages: []string{"apps", "openid", "doctor", "twofactor", "account"},
		importers: []string{
			"github.com/a-h/templ",
			"github.com/yeqown/go-qrcode",
		},
	},
	"gatehouse/db": {
		packages:  []string{"db/engine", "db/files", "db/hash", "db/move", "db/seal", "apps", "openid", "passkeys", "doctor", "roster", "twofactor", "account", "typed"},
		importers: []string{"golang.org/x/crypto"},
	},
	"gatehouse/passkeys":              {importers: []string{"github.com/go-webauthn/webauthn"}},
	"gatehouse/passkeys/passkeystest": {},
	"gatehouse/db/hash": {
		importers: []string{"golang.org/x/crypto/argon2", "golang.org/x/crypto/bcrypt"},
	},
	"gatehouse/db/move": {
		packages: []string{"db/engine"},
	},
	"gatehouse/db/files": {
		packages: []string{"db/engine"},
	},
	"gatehouse/db/seal": {
		packages:  []string{"db/files"},
		importers: []string{"golang.org/x/crypto"},
	},
	"gatehouse/db/dbtest": {
		packages:  []string{"account", "db", "db/dbtest/server", "db/hash", "twofactor"},
		importers: []string{"github.com/pquerna/otp"},
	},
	"gatehouse/db/dbtest/server": {
		packages: []string{"db/engine"},
	},
	"gatehouse/apps": {
		packages:  []string{"account", "twofactor", "typed"},
		importers: []string{"golang.org/x/net/idna"},
	},
	"gatehouse/account": {
		packages:  []string{"twofactor", "typed"},
		importers: []string{"golang.org/x/net/idna", "golang.org/x/text"},
	},
	"gatehouse/db/engine": {
		packages:  []string{"db/engine/commit"},
		importers: []string{"modernc.org/sqlite", "github.com/jackc/pgx"},
	},
	"gatehouse/db/engine/commit": {},
	"gatehouse/mail": {
		importers: []string{"github.com/wneessen/go-mail"},
	},
	"gatehouse/backchannel": {},
	"gatehouse/openid": {
		importers: []string{"github.com/go-jose/go-jose/v4"},
	},
	"gatehouse/doctor": {},
	"gatehouse/roster": {
		packages: []string{"apps", "account", "twofactor", "typed"},
	},
	"gatehouse/typed": {},
	"gatehouse/twofactor": {
		packages:  []string{"typed"},
		importers: []string{"github.com/pquerna/otp"},
	},
}

// pure are the rooms of the rules, and banned is what they must not know.
var pure = []string{"gatehouse/twofactor", "gatehouse/account", "gatehouse/apps", "gatehouse/openid", "gatehouse/passkeys", "gatehouse/doctor", "gatehouse/roster", "gatehouse/typed"}
var banned = []string{"net/http", "database/sql", "log", "os"}

func TestArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		room, imports := fields[0], fields[1:]
		allowed, known := arrows[room]
		if !known {
			t.Errorf("%s is a new room: give it a row in arrows", room)
			continue
		}
		for _, path := range imports {
			first, _, _ := strings.Cut(path, "/")
			inner, isOurs := strings.CutPrefix(path, "gatehouse/")
			switch {
			case isOurs && !slices.Contains(allowed.packages, inner):
				t.Errorf("%s imports %s: that arrow does not exist", room, path)
			case !isOurs && strings.Contains(first, ".") &&
				!slices.ContainsFunc(allowed.importers,
					func(g string) bool { return path == g || strings.HasPrefix(path, g+"/") }):
				t.Errorf("%s imports %s: it has its home elsewhere", room, path)
			case slices.Contains(pure, room) && slices.Contains(banned, path):
				t.Errorf("the rules import %s", path)
			}
		}
	}
}

// TestArrowsAreDrawn compares the arrows with the drawing in docs/architecture.md.
func TestArrowsAreDrawn(t *testing.T) {
	text, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		from, to, found := strings.Cut(line, "→")
		if room := strings.TrimSpace(from); found && !strings.ContainsAny(room, " |") {
			drawn[room] = strings.Split(strings.TrimSpace(to), ", ")
		}
	}
	for path, allowed := range arrows {
		room := strings.TrimPrefix(path, "gatehouse/")
		switch room {
		case "gatehouse":
			room = "main"
		case "passkeys/passkeystest", "db/dbtest", "db/dbtest/server":
			continue // of the tests
		}
		want, got := slices.Sorted(slices.Values(allowed.packages)), slices.Sorted(slices.Values(drawn[room]))
		if !slices.Equal(got, want) {
			t.Errorf("docs/architecture.md draws %s → %s; want %s", room, strings.Join(got, ", "),
				strings.Join(want, ", "))
		}
		delete(drawn, room)
	}
	for room := range drawn {
		t.Errorf("docs/architecture.md draws %s, which is no room", room)
	}
}
