package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/e2e/loopback"
)

// apacheConfig guards a folder with mod_auth_openidc, as its documents say.
const apacheConfig = `
ServerRoot "%[1]s"
ServerName localhost
Listen %[2]s
PidFile "%[1]s/pid"
ErrorLog "%[1]s/error.log"
DefaultRuntimeDir "%[1]s"
Mutex file:%[1]s default
LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule auth_openidc_module /usr/lib/apache2/modules/mod_auth_openidc.so
<IfModule unixd_module>
User #65534
Group #65534
</IfModule>
DocumentRoot "%[1]s/docs"
OIDCProviderMetadataURL %[3]s/.well-known/openid-configuration
OIDCClientID %[4]s
OIDCClientSecret %[5]s
OIDCRedirectURI http://localhost:%[6]s/cb
OIDCCryptoPassphrase 0123456789abcdef0123456789abcdef
OIDCPKCEMethod S256
OIDCScope "openid profile email groups"
OIDCRemoteUserClaim preferred_username
<Location />
	AuthType openid-connect
	Require claim groups:administrator
	Header always set X-User "expr=%%{REMOTE_USER}"
</Location>
`

// TestApacheSignsPeopleIn puts Apache with mod_auth_openidc from Debian in front of a folder:
// sign-in, a group that is required, and the sign-out at Gatehouse of which Apache is told.
func TestApacheSignsPeopleIn(t *testing.T) {
	t.Parallel()
	apache := "/usr/sbin/apache2"
	if _, err := os.Stat("/usr/lib/apache2/modules/mod_auth_openidc.so"); err != nil {
		t.Fatal("This test needs mod_auth_openidc: run `apt install libapache2-mod-auth-openidc apache2`, then try again.")
	}
	s := startSiteAtItsAddress(t)
	s.addPerson(ada, "administrator")
	s.addPerson(mia, "member")
	address := loopback.Free(t)
	_, port, _ := strings.Cut(address, ":")
	app := "http://localhost:" + port
	id, secret := s.connect("Archive", app, "--redirect", app+"/cb", "--logout-redirect", app+"/bye.txt", "--backchannel", app+"/cb?logout=backchannel")

	dir, err := os.MkdirTemp(filepath.Dir(os.TempDir()), "gatehouse-apache-") // Apache reads it as nobody
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeAll(dir) })
	config := filepath.Join(dir, "apache.conf")
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "docs"), 0o755),
		os.WriteFile(filepath.Join(dir, "docs", "index.html"), []byte("the archive"), 0o644),
		os.WriteFile(config, fmt.Appendf(nil, apacheConfig, dir, address, s.url, id, secret, port), 0o644),
		os.Chmod(dir, 0o777),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	server := exec.Command(apache, "-X", "-f", config)
	log := &output{}
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() {
			errors, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Logf("Apache's output:\n%s%s", log, errors)
		}
	})
	if err := poll(timeout, func() error { // any answer: without a cookie it is a redirect
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		answer, err := client.Get(app + "/")
		if err == nil {
			_ = answer.Body.Close()
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	open := func(a *agent, path string) (status int, user, body string) {
		t.Helper()
		answer, err := a.client.Get(app + path)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, answer.Header.Get("X-User"), string(text)
	}
	signIn := func(p person) *agent {
		t.Helper()
		a := newAgent(t, app, p)
		back := a.goTo(app + "/")
		open(a, strings.TrimPrefix(back, app))
		return a
	}
	a := signIn(ada)
	if status, user, body := open(a, "/"); status != 200 || user != "ada" || body != "the archive" {
		t.Errorf("Apache answers %d to %q: %s", status, user, body)
	}
	if status, _, _ := open(signIn(mia), "/"); status != 401 && status != 403 {
		t.Errorf("somebody without the group: %d", status)
	}
	// Sign-out at Gatehouse, of which Apache is told.
	answer, err := a.client.Get(s.url + "/oauth/signout")
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	answer, err = a.client.PostForm(s.url+"/oauth/signout/confirm", a.fill(string(aForm.Find(page))))
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if err := poll(timeout, func() error {
		if status, _, _ := open(a, "/"); status == 200 {
			if _, _, body := open(a, "/"); body == "the archive" {
				return fmt.Errorf("Apache was not told of the sign-out")
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
