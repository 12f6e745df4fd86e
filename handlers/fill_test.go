//go:build bench

package handlers_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"gatehouse/db/dbtest"
)

// TestFill fills the data directory GATEHOUSE_FILL with GATEHOUSE_FILL_PEOPLE
// people (100,000 when not set), as many enabled factors and ten rows of
// activity each, for measuring a server from outside. Beside the directory
// stands DIR.jsonl with everybody's sign-in name, password and secret.
func TestFill(t *testing.T) {
	dir := os.Getenv("GATEHOUSE_FILL")
	if dir == "" {
		t.Skip("GATEHOUSE_FILL names no directory")
	}
	people := 100_000
	if text := os.Getenv("GATEHOUSE_FILL_PEOPLE"); text != "" {
		var err error
		if people, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	store := dbtest.OpenRecommended(t, dir)
	start := time.Now()
	filled, err := store.Fill(ctx, people, 10*people, dbtest.Password, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Clean(dir)+".jsonl", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	for _, person := range filled {
		if err := enc.Encode(map[string]string{"login": person.Email, "password": dbtest.Password,
			"secret": person.Secret.Base32()}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d people and %d rows in %s", people, 10*people, time.Since(start).Round(time.Second))
}
