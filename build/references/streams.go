// Streams many answers at once from the mock provider, with Go's standard library, and prints what that cost.
//
//	streams URL STREAMS CHUNKS MILLIS ROUNDS [CA_FILE]
//
// It does what clawmesh/bench/streams.py does, and prints the same figures.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

type figures struct {
	Requests   int     `json:"requests"`
	Failures   int64   `json:"failures"`
	Chunks     int64   `json:"chunks"`
	CPUSeconds float64 `json:"cpu_seconds"`
	KiBEach    float64 `json:"kib_each"`
	LagP50ms   float64 `json:"lag_p50_ms"`
	LagP99ms   float64 `json:"lag_p99_ms"`
}

type chunk struct {
	Choices []struct {
		Delta struct {
			Content string `json:"content"`
		} `json:"delta"`
	} `json:"choices"`
}

// meter counts chunks and notes how long each was under way, and the part of them that came while all streams were.
type meter struct {
	chunks, failures, begun, from, to, kib atomic.Int64
	streams                                int64
	lags                                   []int64
}

func (m *meter) hear(text string, begun *bool) error {
	written, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return err
	}
	number := m.chunks.Add(1)
	m.lags[number-1] = monotonic() - written
	if !*begun {
		*begun = true
		if m.begun.Add(1) == m.streams {
			m.from.Store(number)
			m.kib.Store(resident())
		}
	}
	return nil
}

func (m *meter) end() {
	if m.from.Load() > 0 {
		m.to.CompareAndSwap(0, m.chunks.Load())
	}
}

func (m *meter) crowd() []int64 {
	if from, to := m.from.Load(), m.to.Load(); from < to {
		return m.lags[from:to]
	}
	return m.lags[:m.chunks.Load()]
}

// monotonic reads the clock that the provider stamps its chunks with; package time does not show it.
func monotonic() int64 {
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	check(err)
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	check(err)
	return pages * int64(os.Getpagesize()) / 1024
}

func processor() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func stream(client *http.Client, url, model string, m *meter, begun *bool) error {
	body := `{"model":"` + model + `","stream":true,"messages":[{"role":"user","content":"hello"}]}`
	response, err := client.Post(url+"/chat/completions", "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the provider answered %d", response.StatusCode)
	}
	return read(bufio.NewReader(response.Body), m, begun)
}

func read(body *bufio.Reader, m *meter, begun *bool) error {
	done := false
	for {
		line, err := body.ReadSlice('\n')
		if err != nil { // the end of the body, or its loss
			if done && len(line) == 0 {
				return nil
			}
			return errors.New("the stream ended without [DONE]")
		}
		data, found := bytes.CutPrefix(bytes.TrimRight(line, "\r\n"), []byte("data: "))
		if !found {
			continue
		}
		if bytes.Equal(data, []byte("[DONE]")) {
			done = true
			continue
		}
		var part chunk
		if err := json.Unmarshal(data, &part); err != nil {
			return err
		}
		if text := part.Choices[0].Delta.Content; text != "" {
			if err := m.hear(text, begun); err != nil {
				return err
			}
		}
	}
}

func run(client *http.Client, url string, streams, chunks, millis, rounds int) figures {
	m := &meter{streams: int64(streams), lags: make([]int64, streams*chunks*rounds)}
	model := fmt.Sprintf("%dx%d", chunks, millis)
	memory, started := resident(), processor()
	var group sync.WaitGroup
	for range streams {
		group.Go(func() {
			begun := false
			for range rounds {
				if stream(client, url, model, m, &begun) != nil {
					m.failures.Add(1)
				}
			}
			m.end()
		})
	}
	group.Wait()
	cpu := processor() - started
	lags := m.crowd()
	slices.Sort(lags)
	lags = append(lags, 0)
	last := len(lags) - 1
	return figures{
		Requests: streams * rounds, Failures: m.failures.Load(), Chunks: m.chunks.Load(), CPUSeconds: cpu,
		KiBEach:  float64(max(m.kib.Load(), memory)-memory) / float64(streams),
		LagP50ms: float64(lags[last/2]) / 1e6, LagP99ms: float64(lags[last*99/100]) / 1e6,
	}
}

func newClient(caFile string) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, 1<<20
	transport.ForceAttemptHTTP2, transport.TLSNextProto = false, map[string]func(string, *tls.Conn) http.RoundTripper{}
	transport.DisableCompression = true
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		check(err)
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
		transport.TLSHandshakeTimeout = time.Minute
	}
	return &http.Client{Transport: transport}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	var numbers [4]int
	for at := range numbers {
		number, err := strconv.Atoi(os.Args[at+2])
		check(err)
		numbers[at] = number
	}
	caFile := ""
	if len(os.Args) > 6 {
		caFile = os.Args[6]
	}
	client := newClient(caFile)
	run(client, os.Args[1], 1, 1, 0, 1)
	check(json.NewEncoder(os.Stdout).Encode(run(client, os.Args[1], numbers[0], numbers[1], numbers[2], numbers[3])))
}
