// Gatehouse is the front door of a small self-hosted workspace, in one file.
package main

import (
	"context"
	"embed"
	"io/fs"
	"log"
	"os"

	"gatehouse/cli"
	_ "gatehouse/cli/quiet"
)

//go:embed schema.sql
var schema string

//go:embed schema.postgres.sql
var postgresSchema string

//go:embed static
var static embed.FS

//go:embed docs/gatehouse.service docs/gatehouse.socket docs/gatehouse-tls.conf
//go:embed docs/gatehouse-backup.service docs/gatehouse-backup.timer docs/postgres/gatehouse-nodes.conf
var docs embed.FS

// below is a directory that is embedded above.
func below(files embed.FS, name string) fs.FS {
	dir, err := fs.Sub(files, name)
	if err != nil {
		panic(err)
	}
	return dir
}

func main() {
	log.SetOutput(os.Stderr) // see package quiet
	os.Exit(cli.Run(context.Background(), cli.Process{
		Args:   os.Args[1:],
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: os.Stderr,
		Root:   "/",
		Files: cli.Files{
			Schema:         schema,
			PostgresSchema: postgresSchema,
			Static:         below(static, "static"),
			Units:          below(docs, "docs"),
		},
	}))
}
