// A member of a hashicorp/memberlist cluster with LAN defaults, for benchmarks/gossip/memberlist: it
// says on stdout who joined and who was found dead, with the wall time in milliseconds.
//
//	driver -name NODE -bind ADDRESS [-join ADDRESS,ADDRESS…]
//
// A line on stdin is a user message that is broadcast; who hears it says "heard TEXT".
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const port = 7946

var stdout sync.Mutex

func say(what, whom string) {
	stdout.Lock()
	defer stdout.Unlock()
	fmt.Printf("%d %s %s\n", time.Now().UnixMilli(), what, whom)
}

type events struct{}

func (events) NotifyJoin(node *memberlist.Node)   { say("alive", node.Name) }
func (events) NotifyLeave(node *memberlist.Node)  { say("dead", node.Name) }
func (events) NotifyUpdate(node *memberlist.Node) {}

// Broadcasts user messages: each that is new is passed on, as Serf's events are.
type delegate struct {
	queue *memberlist.TransmitLimitedQueue
	mutex sync.Mutex
	known map[string]bool
}

type broadcast []byte

func (broadcast) Invalidates(memberlist.Broadcast) bool { return false }
func (b broadcast) Message() []byte                     { return b }
func (broadcast) Finished()                             {}

func (d *delegate) tell(message []byte) {
	d.mutex.Lock()
	text := string(message)
	isNew := !d.known[text]
	d.known[text] = true
	d.mutex.Unlock()
	if !isNew {
		return
	}
	say("heard", strings.Fields(text)[0])
	d.queue.QueueBroadcast(broadcast(text))
}

func (d *delegate) NodeMeta(limit int) []byte     { return []byte("dc=dc1 rack=r1 tokens=16") }
func (d *delegate) NotifyMsg(message []byte)      { d.tell(message) }
func (d *delegate) LocalState(join bool) []byte   { return nil }
func (d *delegate) MergeRemoteState([]byte, bool) {}
func (d *delegate) GetBroadcasts(overhead, limit int) [][]byte {
	return d.queue.GetBroadcasts(overhead, limit)
}

func main() {
	name := flag.String("name", "", "of this member")
	bind := flag.String("bind", "127.0.0.1", "address")
	join := flag.String("join", "", "addresses of others")
	flag.Parse()

	config := memberlist.DefaultLANConfig()
	config.Name = *name
	config.BindAddr, config.AdvertiseAddr = *bind, *bind
	config.BindPort, config.AdvertisePort = port, port
	config.LogOutput = io.Discard
	config.Events = events{}
	own := &delegate{known: map[string]bool{}}
	config.Delegate = own
	var list *memberlist.Memberlist
	own.queue = &memberlist.TransmitLimitedQueue{
		RetransmitMult: config.RetransmitMult,
		NumNodes: func() int {
			if list == nil {
				return 1
			}
			return list.NumMembers()
		},
	}
	list, err := memberlist.Create(config)
	if err != nil {
		log.Fatal(err)
	}
	for *join != "" {
		if _, err := list.Join(strings.Split(*join, ",")); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		own.tell([]byte(lines.Text()))
	}
}
