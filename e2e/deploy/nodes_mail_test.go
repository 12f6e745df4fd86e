package deploy

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// A mailSink is a mail server that takes everything, or keeps its answer to a mail to itself.
type mailSink struct {
	mu     sync.Mutex
	taken  map[string]int // how often each Message-ID came
	holds  bool
	holder chan string // at which address a mail is held
}

// listen gives an address of the sink.
func (s *mailSink) listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c, l.Addr().String())
		}
	}()
	return l.Addr().String()
}

func (s *mailSink) serve(c net.Conn, address string) {
	defer c.Close()
	in := textproto.NewReader(bufio.NewReader(c))
	say := func(line string) { _, _ = fmt.Fprintf(c, "%s\r\n", line) }
	say("220 sink")
	for {
		line, err := in.ReadLine()
		if err != nil {
			return
		}
		switch word, _, _ := strings.Cut(strings.ToUpper(line), " "); word {
		case "DATA":
			say("354 go on")
			head, err := in.ReadMIMEHeader()
			if err != nil {
				return
			}
			if _, err := in.ReadDotLines(); err != nil {
				return
			}
			s.mu.Lock()
			s.taken[head.Get("Message-Id")]++
			holds := s.holds
			s.mu.Unlock()
			if holds {
				s.holder <- address
				_, _ = in.ReadLine() // until it is killed
				return
			}
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 OK")
		}
	}
}

// hold lets the sink keep its answers, or give them.
func (s *mailSink) hold(holds bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds = holds
}

// counts tells how many mails came so often.
func (s *mailSink) counts() map[int]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[int]int{}
	for _, n := range s.taken {
		out[n]++
	}
	return out
}

// TestMailsOfTwoNodes has two processes send what one outbox holds: each mail goes once. The one that is killed while it
// sends leaves its mail to the other, once its claim is over.
func TestMailsOfTwoNodes(t *testing.T) {
	c := newCluster(t)
	sink := &mailSink{taken: map[string]int{}, holder: make(chan string, 10)}
	nodes := map[string]*process{}
	for range 2 {
		at := sink.listen(t)
		nodes[at], _ = c.node("--smtp", "smtp+plain://"+at, "--mail-from", "portal@example.org")
	}
	invite := func(names ...string) {
		for _, name := range names {
			requireCommand(t, "", append(c.flags(), "user", "invite", name+"@example.org", "--name", name)...)
		}
	}
	await := func(want ...int) { // how many came once, twice
		t.Helper()
		eventually(t, fmt.Sprintf("mails %v", want), func() error {
			got := sink.counts()
			if got[1] != want[0] || got[2] != want[1] || len(got) > 2 {
				return fmt.Errorf("so many came so often: %v", got)
			}
			return nil
		})
		eventually(t, "all are noted as sent", func() error {
			if left := c.server.sql("gatehouse", `SELECT count(*) FROM outbox WHERE state <> 'sent'`); left != "0" {
				return errors.New(left + " are left")
			}
			return nil
		})
	}
	invite("bob", "cy", "di", "ed", "flo", "gus")
	await(6, 0)

	sink.hold(true)
	invite("hal")
	killed := <-sink.holder
	nodes[killed].kill()
	sink.hold(false)
	invite("ida") // the other one goes on meanwhile
	eventually(t, "the next mail is sent", func() error {
		if n := c.server.sql("gatehouse", `SELECT count(*) FROM outbox WHERE state = 'sent'`); n != "7" {
			return errors.New(n)
		}
		return nil
	})
	if left := c.server.sql("gatehouse", `SELECT count(*) FROM outbox WHERE state = 'waiting' AND claim <> ''`); left != "1" {
		t.Errorf("%s mails are claimed by the one that was killed", left)
	}
	c.server.sql("gatehouse", `UPDATE outbox SET claimed_until = 0 WHERE state = 'waiting'`) // as five minutes do
	await(7, 1)
}
