package db_test

import (
	"os"
	"testing"

	"gatehouse/db/dbtest/server"
)

// TestMain runs every test on both engines.
func TestMain(m *testing.M) { os.Exit(server.Main(m)) }
