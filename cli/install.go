package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"gatehouse/db"
	"gatehouse/db/files"
)

type installCommand struct {
	BaseURL   string `name:"base-url" help:"How browsers reach the portal, where a proxy on this machine serves https." env:"GATEHOUSE_BASE_URL" placeholder:"URL" xor:"https"`
	TLSDomain string `name:"tls-domain" help:"Or: serve https without a proxy, for this name." env:"GATEHOUSE_TLS_DOMAIN" placeholder:"NAME" xor:"https"`
	ACMEEmail string `name:"acme-email" help:"Where the certificate authority may write to." env:"GATEHOUSE_ACME_EMAIL" placeholder:"EMAIL"`
	Nodes     bool   `help:"One node of several on PostgreSQL: it listens on port 8080 of every address, and its key file is in the data directory."`
}

// units are what install writes for systemd. None but gatehouse.service is used before it is
// enabled.
var units = []string{"gatehouse.service", "gatehouse.socket", "gatehouse-backup.service", "gatehouse-backup.timer"}

// keyBytes is how long a key is.
const keyBytes = 32

// Run sets the service up. The key file and the settings stay as they are where they are
// there; the units are ours, and are written anew.
func (c *installCommand) Run(env *commandEnv) error {
	if runtime.GOOS != "linux" {
		return errors.New("install is for Linux with systemd; elsewhere start gatehouse serve as the system starts its services")
	}
	at := func(name string) string { return filepath.Join(env.Root, name) }
	settings := ""
	if !exists(at(installedSettings)) || c.BaseURL != "" || c.TLSDomain != "" {
		var err error
		if settings, err = c.settings(); err != nil {
			return err
		}
	}
	if !exists(at(installedProgram)) {
		return fmt.Errorf("the service runs %[1]s: put the program there first, with install -m 0755 FILE %[1]s", at(installedProgram))
	}
	if err := os.MkdirAll(at(installedEtc), 0o700); err != nil {
		return fmt.Errorf("making the directory: %w", err)
	}
	key, err := c.placeKey(env, at)
	if err != nil {
		return err
	}
	if err := c.writeNew(env, at(installedSettings), []byte(settings)); err != nil {
		return err
	}
	for _, name := range units {
		if err := c.writeUnit(env, name, filepath.Join(at(installedUnits), name)); err != nil {
			return err
		}
	}
	if c.TLSDomain != "" {
		if err := c.writeUnit(env, "gatehouse-tls.conf", filepath.Join(at(installedUnit)+".d", "tls.conf")); err != nil {
			return err
		}
	}
	if c.Nodes {
		if err := c.writeUnit(env, "postgres/gatehouse-nodes.conf", filepath.Join(at(installedUnit)+".d", "nodes.conf")); err != nil {
			return err
		}
	}
	fmt.Fprintf(env.Stdout, "\nStart it:               systemctl enable --now gatehouse\n"+
		"After a change:         systemctl daemon-reload && systemctl restart gatehouse\n"+
		"Keep a copy of the key: base64 %s\n", key)
	return nil
}

// placeKey makes the key file of a new workspace. A node has the workspace's: in its data
// directory, where it was on one machine the same.
func (c *installCommand) placeKey(env *commandEnv, at func(string) string) (path string, err error) {
	path = at(installedKey)
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // it never fails
	switch {
	case c.Nodes:
		path = filepath.Join(at(installedData), files.KeyName)
		if exists(path) {
			break
		}
		if key, err = os.ReadFile(at(installedKey)); err != nil {
			return "", fmt.Errorf("put the workspace's key file into %s first, the same on every node (a new workspace's is made with: "+
				"head -c 32 /dev/urandom)", path)
		}
	case exists(filepath.Join(at(installedData), db.FileName)) && !exists(path):
		return "", fmt.Errorf("there is a workspace in %s and no key in %s: put its key there first", at(installedData), path)
	}
	return path, c.writeNew(env, path, key)
}

// settings are the variables that a new service begins with.
func (c *installCommand) settings() (string, error) {
	text := "# The settings of gatehouse.service: every flag of gatehouse serve, as a variable (gatehouse serve --help).\n"
	switch {
	case c.TLSDomain != "":
		f := tlsFlags{TLSDomain: c.TLSDomain}
		if err := f.check(); err != nil {
			return "", err
		}
		base, err := f.domainURL(":443")
		if err != nil {
			return "", err
		}
		text += "GATEHOUSE_TLS_DOMAIN=" + base.Hostname() + "\nGATEHOUSE_LISTEN=:443\nGATEHOUSE_BASE_URL=" + base.String() + "\n"
		if c.ACMEEmail != "" {
			text += "GATEHOUSE_ACME_EMAIL=" + c.ACMEEmail + "\n"
		}
	case c.BaseURL != "":
		serve := serveCommand{Listen: listenAddress("", false), BaseURL: c.BaseURL}
		base, err := serve.parseBaseURL()
		if err != nil {
			return "", err
		}
		text += "GATEHOUSE_BASE_URL=" + base.String() + "\nGATEHOUSE_TRUSTED_PROXY=127.0.0.1,::1\n"
	default:
		return "", usageError("say how browsers reach the portal: --base-url https://portal.example.org behind a proxy, " +
			"or --tls-domain portal.example.org without one")
	}
	return text, nil
}

// writeNew writes a file that root alone may read, and leaves one that is there.
func (c *installCommand) writeNew(env *commandEnv, path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		fmt.Fprintf(env.Stdout, "kept     %s\n", path)
		return nil
	}
	if err != nil {
		return fmt.Errorf("making a file: %w", err)
	}
	if _, err := f.Write(content); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), f.Close(), os.Remove(path))
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	fmt.Fprintf(env.Stdout, "made     %s\n", path)
	return nil
}

// writeUnit writes a unit where systemd reads it.
func (c *installCommand) writeUnit(env *commandEnv, name, path string) error {
	content, err := fs.ReadFile(env.Files.Units, name)
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making the directory: %w", err)
	}
	if err := errors.Join(os.WriteFile(path, content, 0o644), os.Chmod(path, 0o644)); err != nil {
		return fmt.Errorf("writing a unit: %w", err)
	}
	fmt.Fprintf(env.Stdout, "written  %s\n", path)
	return nil
}
