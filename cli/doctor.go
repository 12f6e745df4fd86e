package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"gatehouse/db"
	"gatehouse/doctor"
	"gatehouse/views"
)

// The checks of the machine, and of the way to the workspace, beside those of package doctor.
const (
	checkData        doctor.Check = "data"
	checkKey         doctor.Check = "key"
	checkDisk        doctor.Check = "disk"
	checkDatabase    doctor.Check = "database"
	checkClock       doctor.Check = "clock"
	checkServer      doctor.Check = "server"
	checkReach       doctor.Check = "reach"
	checkCertificate              = doctor.Certificate
	checkProxy       doctor.Check = "proxy"
	checkMailServer  doctor.Check = "mail-server"
)

// checks are all that doctor knows, in the order of their findings.
func checks() []doctor.Check {
	return append([]doctor.Check{checkData, checkKey, checkDisk, checkDatabase, checkServer, checkReach, checkProxy, checkClock,
		checkMailServer}, doctor.Checks...)
}

// machineChecks are the names of those of the machine, for people.
var machineChecks = map[doctor.Check]string{
	checkData:       "Data directory",
	checkKey:        "Key file",
	checkDisk:       "Disk",
	checkDatabase:   "Database",
	checkClock:      "Clock",
	checkServer:     "Server",
	checkReach:      "From outside",
	checkProxy:      "Proxy",
	checkMailServer: "Mail server",
}

type doctorCommand struct {
	JSON bool     `name:"json" help:"One JSON object a line, for scripts."`
	Skip []string `help:"Leave a check out, by its name in --json. Repeat it for several." placeholder:"CHECK"`

	BaseURL      string   `name:"base-url" help:"How browsers reach the workspace; as the server was told unless named." env:"GATEHOUSE_BASE_URL" placeholder:"URL"`
	Listen       string   `help:"What serve was told to listen on." env:"GATEHOUSE_LISTEN" placeholder:"HOST:PORT"`
	TrustedProxy []string `help:"As for serve; as the running server was told unless named." env:"GATEHOUSE_TRUSTED_PROXY" placeholder:"CIDR"`
	TLSDomain    string   `name:"tls-domain" help:"As for serve." env:"GATEHOUSE_TLS_DOMAIN" placeholder:"NAME"`
	TLSCert      string   `name:"tls-cert" help:"As for serve." env:"GATEHOUSE_TLS_CERT" placeholder:"FILE"`
	ACMECA       string   `name:"acme-ca" help:"Certificates (PEM) to trust, of an authority of one's own." env:"GATEHOUSE_ACME_CA" placeholder:"FILE"`

	mailFlags
}

// A diagnosis is what came of one check, in words. It is a promise to scripts, but for the
// sentences.
type diagnosis struct {
	Check  doctor.Check `json:"check"`
	Level  doctor.Level `json:"level"`
	Seen   string       `json:"seen"`
	Advice string       `json:"do,omitempty"`
}

// An examination looks at one installation.
type examination struct {
	*commandEnv
	flags *doctorCommand
	all   []diagnosis
}

// well, warn and fault note what was found; advice says what to do.

func (x *examination) well(check doctor.Check, format string, args ...any) {
	x.all = append(x.all, diagnosis{Check: check, Level: doctor.OK, Seen: fmt.Sprintf(format, args...)})
}

func (x *examination) warn(check doctor.Check, seen, advice string) {
	x.all = append(x.all, diagnosis{check, doctor.Warning, seen, advice})
}

func (x *examination) fault(check doctor.Check, seen, advice string) {
	x.all = append(x.all, diagnosis{check, doctor.Fault, seen, advice})
}

// Run looks at the whole installation, and changes nothing. It fails where there is something to do.
func (c *doctorCommand) Run(env *commandEnv) error {
	if c.BaseURL != "" {
		base, err := canonicalBaseURL(c.BaseURL)
		if err != nil {
			return err
		}
		c.BaseURL = addressOf(base)
	}
	for _, name := range c.Skip {
		if !slices.Contains(checks(), doctor.Check(name)) {
			return usageError(fmt.Sprintf("--skip takes the name of a check, and not %q: %s", name, joined(checks())))
		}
	}
	x := &examination{commandEnv: env, flags: c}
	if err := x.examine(); err != nil {
		return err
	}
	toDo := 0
	for _, d := range x.all {
		if slices.Contains(c.Skip, string(d.Check)) {
			continue
		}
		if d.Level != doctor.OK {
			toDo++
		}
		if err := x.print(d); err != nil {
			return err
		}
	}
	if toDo > 0 {
		return fmt.Errorf("%s to do", countOf(toDo, "thing"))
	}
	return nil
}

// examine looks at everything, from the machine outwards.
func (x *examination) examine() error {
	networks, err := proxyNetworks(x.flags.TrustedProxy)
	if err != nil {
		return err
	}
	settings, unusable := x.flags.settings()
	if unusable != nil {
		defer x.fault(checkMailServer, upperFirst(x.withAdvice(unusable))+".", "The service does not start with these settings: put them right.")
	}
	x.files()
	x.disk()
	store := x.database()
	if store == nil {
		x.askWithoutStore()
		x.mailServer(settings, false)
		return nil
	}
	defer func() { _ = store.Close() }()
	facts, err := store.DoctorFacts(x.ctx, x.now())
	if err != nil {
		x.fault(checkDatabase, upperFirst(views.TerminalText(err))+".", "Run gatehouse check.")
		return nil
	}
	base := x.flags.BaseURL
	if base == "" {
		base = facts.BaseURL
	} else if facts.BaseURL != "" && base != facts.BaseURL { // one that is to come
		facts.Former, facts.BaseURL, facts.BaseURLAt = facts.BaseURL, base, x.now()
	}
	seen := x.way(store, base)
	x.clock(store, seen)
	facts.TrustedProxies = networks
	if len(networks) == 0 && seen.sighting != nil {
		facts.TrustedProxies, _ = proxyNetworks(seen.sighting.TrustedProxies)
	}
	if facts.BaseURL == "" {
		facts.BaseURL = base
	}
	for _, f := range doctor.Examine(facts, x.now()) {
		text, advice := views.FindingText(f)
		x.all = append(x.all, diagnosis{f.Check, f.Level, text, advice})
	}
	x.mailServer(settings, facts.SendsMail)
	return nil
}

// print writes what was found, and with what to do below it.
func (x *examination) print(d diagnosis) error {
	if x.flags.JSON {
		enc := json.NewEncoder(x.Stdout)
		enc.SetEscapeHTML(false)
		return enc.Encode(d)
	}
	name := machineChecks[d.Check]
	if name == "" {
		name = views.CheckName(d.Check)
	}
	level := map[doctor.Level]string{doctor.OK: "ok", doctor.Warning: "WARNING", doctor.Fault: "FAULT"}[d.Level]
	_, err := fmt.Fprintf(x.Stdout, "%-8s %-21s %s\n", level, name, d.Seen)
	if err == nil && d.Advice != "" {
		_, err = fmt.Fprintf(x.Stdout, "%8s %21s → %s\n", "", "", d.Advice)
	}
	return err
}

// mailServer signs in at the mail server and sends nothing.
func (x *examination) mailServer(settings mailSettings, sends bool) {
	if settings.server.IsZero() {
		if sends && x.flags.SMTP == "" {
			x.well(checkMailServer, "Not tried: how mails are sent is not known here. Give --smtp and --mail-from, or the service's environment.")
		}
		return
	}
	ctx, cancel := context.WithTimeout(x.ctx, testTimeout)
	defer cancel()
	if err := settings.server.Try(ctx); err != nil {
		x.fault(checkMailServer, fmt.Sprintf("%s takes no sign-in: %s.", settings.server, strings.TrimSuffix(err.Error(), ".")),
			"Mails wait until it does. Look at --smtp and --smtp-password-file, and at the server; then gatehouse mail test ADDRESS.")
		return
	}
	x.well(checkMailServer, "%s lets Gatehouse in.", settings.server)
}

// askWithoutStore looks at what can be seen from outside when the database cannot be opened
// here, so that nothing proves who answers.
func (x *examination) askWithoutStore() {
	if x.flags.BaseURL != "" {
		x.way(nil, x.flags.BaseURL)
	}
}

// joined lists names.
func joined(all []doctor.Check) string {
	names := make([]string, len(all))
	for i, check := range all {
		names[i] = string(check)
	}
	return strings.Join(names, ", ")
}

// upperFirst makes a sentence of an error.
func upperFirst(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// hostOf is the name in a base URL.
func hostOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// database opens the workspace, as every command does, and says what is wrong with it. It gives nil
// where there is none that opens.
func (x *examination) database() *db.Store {
	has, err := x.hasWorkspace()
	if err != nil {
		x.fault(checkDatabase, upperFirst(x.withAdvice(err))+".", "Put it right, and ask again.")
		return nil
	}
	if !has {
		x.fault(checkDatabase, fmt.Sprintf("There is no workspace in %s.", x.dataName()),
			"Name the right place with --data, --database or --database-file. A new workspace is made when the server starts.")
		return nil
	}
	o, err := x.options()
	if err != nil {
		x.fault(checkDatabase, upperFirst(x.withAdvice(err))+".", "Put it right, and ask again.")
		return nil
	}
	store, err := db.Open(x.ctx, o)
	if err != nil {
		x.fault(checkDatabase, "It does not open: "+x.withAdvice(err)+".", "The service meets the same. Put it right; it goes on by itself, or is started anew if it has stopped.")
		return nil
	}
	st, err := store.Status(x.ctx)
	switch {
	case err != nil:
		x.fault(checkDatabase, upperFirst(x.withAdvice(err))+".", "Run gatehouse check.")
	case st.Moved:
		x.fault(checkDatabase, "The workspace was moved to another database: it is not served here any more.", "Ask there.")
	default:
		x.well(checkDatabase, "%s, schema %d. The key file opens it.", st.Engine, st.Schema)
	}
	return store
}
