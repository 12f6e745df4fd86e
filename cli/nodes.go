package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"gatehouse/db"
)

// clockWarnInterval is how often a clock that is off a little is told of.
const clockWarnInterval = time.Minute

// leaveTimeout is how long a node that stops tries to say so.
const leaveTimeout = 2 * time.Second

// joinNodes says that this process serves, where others may serve the same workspace, and
// goes on to say so. A node that may not serve does not start: its clock, its key or its
// schema is another.
func joinNodes(ctx context.Context, env *commandEnv, store *db.Store, listening string,
	log *slog.Logger) (leave func(), err error) {
	if !store.IsShared() {
		return func() {}, nil
	}
	n := db.Node{
		ID:        strings.ToLower(rand.Text()),
		Name:      nodeName(listening),
		Version:   Version,
		StartedAt: env.now(),
	}
	if err := store.Beat(ctx, n, env.now); err != nil {
		return nil, err
	}
	stopped := make(chan struct{})
	ctx, stop := context.WithCancel(ctx)
	go func() {
		defer close(stopped)
		keepBeating(ctx, env, store, n, log)
	}()
	return func() {
		stop()
		<-stopped
		ctx, done := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
		defer done()
		if err := store.Leave(ctx, n.ID); err != nil {
			log.Warn("cannot say that this node stops; it is forgotten in a while", "error", err)
		}
	}, nil
}

// keepBeating says every ten seconds that the node is there. What it finds is told when it
// begins and when it ends.
func keepBeating(ctx context.Context, env *commandEnv, store *db.Store, n db.Node, log *slog.Logger) {
	tick := time.NewTicker(db.BeatInterval)
	defer tick.Stop()
	var last string
	var warnedAt time.Time
	for {
		now := env.now()
		if ahead := store.Ahead(); ahead.Abs() > db.ClockWarns && now.Sub(warnedAt).Abs() >= clockWarnInterval {
			warnedAt = now
			log.Warn("this machine's clock is not the database server's", "ahead", ahead.Round(time.Millisecond).String(),
				"what_to_do", "set both right; a node that is off by more than "+db.ClockStops.String()+" writes nothing")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := store.Beat(ctx, n, env.now)
		switch {
		case ctx.Err() != nil:
		case err != nil && err.Error() != last:
			last = err.Error()
			log.Error("this node cannot go on", "error", err)
		case err == nil && last != "":
			last = ""
			log.Info("this node goes on")
		}
	}
}

// nodeName tells nodes apart for people.
func nodeName(listening string) string {
	host, err := os.Hostname()
	if err != nil {
		return listening
	}
	at, port, err := net.SplitHostPort(listening)
	if err != nil || !isLoopback(at) && at != "::" && at != "0.0.0.0" { // or a unix socket
		return fmt.Sprintf("%s (%s)", host, listening)
	}
	return net.JoinHostPort(host, port)
}

type statusCommand struct {
	JSON bool `name:"json" help:"One JSON object, for scripts."`
}

// nodeJSON is a node in status --json.
type nodeJSON struct {
	Name      string    `json:"name"`
	Version   string    `json:"version"`
	Schema    int       `json:"schema"`
	Serves    bool      `json:"serves"`
	Key       bool      `json:"key"`
	NextKey   string    `json:"next_key,omitempty"`
	AheadMS   int64     `json:"clock_ahead_ms"`
	StartedAt time.Time `json:"started_at"`
	SeenAt    time.Time `json:"seen_at"`
}

// statusJSON is what status --json prints.
type statusJSON struct {
	Database string     `json:"database"`
	Schema   int        `json:"schema"`
	Newest   int        `json:"newest_schema"`
	Served   *bool      `json:"served,omitempty"`
	Moved    bool       `json:"moved"`
	Nodes    []nodeJSON `json:"nodes"`
}

// Run tells what an administrator of the machines asks first.
func (c *statusCommand) Run(env *commandEnv) error {
	return env.withStore(func(store *db.Store) error {
		st, err := store.Status(env.ctx)
		if err != nil {
			return err
		}
		var served *bool
		if !store.IsShared() {
			is, err := env.isServed()
			if err != nil {
				return err
			}
			served = &is
		}
		if c.JSON {
			return json.NewEncoder(env.Stdout).Encode(statusAsJSON(st, served, env.now()))
		}
		return printStatus(env, st, served)
	})
}

// isServed reports whether a server, or a restore, has the data directory.
func (env *commandEnv) isServed() (bool, error) {
	lock, err := env.lockData()
	if errors.Is(err, errLocked) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, lock.Unlock()
}

func statusAsJSON(st db.Status, served *bool, now time.Time) statusJSON {
	all := statusJSON{
		Database: st.Engine,
		Schema:   st.Schema,
		Newest:   st.Newest,
		Served:   served,
		Moved:    st.Moved,
		Nodes:    []nodeJSON{},
	}
	for _, n := range st.Nodes {
		all.Nodes = append(all.Nodes, nodeJSON{n.Name, n.Version, n.Schema, n.IsThere(now), n.HasKey, n.NextKey,
			n.Ahead.Milliseconds(), n.StartedAt, n.SeenAt})
	}
	return all
}

func printStatus(env *commandEnv, st db.Status, served *bool) error {
	fmt.Fprintf(env.Stdout, "Database: %s, schema %d.\n", st.Engine, st.Schema)
	switch {
	case st.Moved:
		fmt.Fprintln(env.Stdout, "The workspace was moved to another database: it is not served here any more.")
	case served != nil && *served:
		fmt.Fprintln(env.Stdout, "A server has the data directory.")
	case served != nil:
		fmt.Fprintln(env.Stdout, "No server runs.")
	case len(st.Nodes) == 0:
		fmt.Fprintln(env.Stdout, "No server runs.")
	}
	if len(st.Nodes) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NODE\tVERSION\tSCHEMA\tKEY\tNEXT KEY\tCLOCK\tSEEN")
	for _, n := range st.Nodes {
		seen := env.date(n.SeenAt)
		if n.IsThere(env.now()) {
			seen = "serves"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%+.1f s\t%s\n", n.Name, n.Version, n.Schema,
			map[bool]string{true: "right", false: "WRONG"}[n.HasKey], orDash(n.NextKey), n.Ahead.Seconds(), seen)
	}
	return w.Flush()
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}
