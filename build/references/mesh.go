// Passes messages between 10,000 goroutines, each with a channel as mailbox, and prints what that cost.
//
// A chain comes from outside, goes from agent to agent, and ends after eight messages. A full mailbox refuses. First
// as many as it takes, with 256 chains under way; then half as many a second, whether or not those before have ended.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	agents = 10_000
	hops   = 8
	width  = 256
	slots  = 64
	span   = 3 * time.Second
)

type envelope struct {
	left int
	sent int64
	done *sync.WaitGroup
}

type mesh struct {
	mailboxes [agents]chan envelope
	refused   atomic.Int64
	begun     time.Time
	lock      sync.Mutex
	waits     []int64
}

type load struct {
	Rate   float64 `json:"messages_per_second"`
	CPUus  float64 `json:"cpu_us"`
	P50ms  float64 `json:"wait_p50_ms"`
	P99ms  float64 `json:"wait_p99_ms"`
	P999ms float64 `json:"wait_p999_ms"`
	Failed int64   `json:"failed"`
}

// run is an agent: it notes how long each message waited, keeps the notes to itself, and passes the message on.
func (m *mesh) run(number int, notes chan<- []int64) {
	var waits []int64
	for message := range m.mailboxes[number] {
		if message.left == 0 { // the end of a load
			notes <- waits
			waits = nil
			continue
		}
		now := int64(time.Since(m.begun))
		waits = append(waits, now-message.sent)
		if message.left == 1 {
			message.done.Done()
			continue
		}
		m.send((number*7+1)%agents, envelope{message.left - 1, now, message.done})
	}
}

func (m *mesh) send(to int, message envelope) {
	select {
	case m.mailboxes[to] <- message:
	default:
		m.refused.Add(1)
		message.done.Done()
	}
}

func (m *mesh) closed() {
	var group sync.WaitGroup
	for worker := range width {
		group.Go(func() {
			var chain sync.WaitGroup
			for number := worker; time.Since(m.begun) < span; number += width {
				chain.Add(1)
				m.send(number%agents, envelope{hops, int64(time.Since(m.begun)), &chain})
				chain.Wait()
			}
		})
	}
	group.Wait()
}

func (m *mesh) open(rate float64) {
	var chains sync.WaitGroup
	for number := 0; time.Since(m.begun) < span; {
		due := int(time.Since(m.begun).Seconds() * rate / hops)
		for ; number < due; number++ {
			chains.Add(1)
			m.send(number%agents, envelope{hops, int64(time.Since(m.begun)), &chains})
		}
		time.Sleep(time.Millisecond)
	}
	chains.Wait()
}

func (m *mesh) measure(notes <-chan []int64, flow func()) load {
	before := processor()
	m.begun = time.Now()
	flow()
	seconds, cpu := time.Since(m.begun).Seconds(), processor()-before
	var waits []int64
	for _, mailbox := range m.mailboxes {
		mailbox <- envelope{}
		waits = append(waits, <-notes...)
	}
	slices.Sort(waits)
	count := len(waits)
	at := func(share float64) float64 { return float64(waits[int(float64(count-1)*share)]) / 1e6 }
	return load{
		Rate: float64(count) / seconds, CPUus: cpu / float64(count) * 1e6,
		P50ms: at(0.5), P99ms: at(0.99), P999ms: at(0.999), Failed: m.refused.Swap(0),
	}
}

func processor() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func resident() int64 {
	runtime.GC()
	text, err := os.ReadFile("/proc/self/statm")
	check(err)
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	check(err)
	return pages * int64(os.Getpagesize())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	m, notes := new(mesh), make(chan []int64)
	memory := resident()
	for number := range m.mailboxes {
		m.mailboxes[number] = make(chan envelope, slots)
		go m.run(number, notes)
	}
	idle := float64(resident()-memory) / agents / 1024
	m.measure(notes, m.closed) // to warm up
	peak := m.measure(notes, m.closed)
	half := m.measure(notes, func() { m.open(peak.Rate / 2) })
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{"peak": peak, "half": half, "idle_kb": idle}))
}
