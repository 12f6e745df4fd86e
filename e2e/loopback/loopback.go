// Package loopback finds addresses for the programs that tests start.
package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
)

// The ports to choose from. They lie below those that systems give to outgoing
// connections, of which the tests make thousands: one of them could take the port
// before the program listens.
const (
	firstPort = 20000
	ports     = 12000
)

// Where this process begins to choose, and how many it has looked at since: no two
// addresses that it gives are the same.
var (
	offset = rand.N(ports)
	looked atomic.Int64
)

// Free returns an address that nobody listens on.
func Free(t testing.TB) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+(offset+int(looked.Add(1)))%ports)
		if l, err := net.Listen("tcp", address); err == nil {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return address
		}
	}
	t.Fatal("no free port on 127.0.0.1 between 20000 and 32000; end what listens there and run the tests again")
	return ""
}
