// Gatehouse is the front door of a small self-hosted workspace, in one file.
package main

import (
	"context"
	"embed"
	"io/fs"
	"os"

	"gatehouse/cli"
)

//go:embed schema.sql
var schema string

//go:embed schema.postgres.sql
var postgresSchema string

//go:embed static
var static embed.FS

func main() {
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // the directory is embedded above
	}
	os.Exit(cli.Run(context.Background(), cli.Process{
		Args:   os.Args[1:],
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: os.Stderr,
		Files:  cli.Files{Schema: schema, PostgresSchema: postgresSchema, Static: files},
	}))
}
