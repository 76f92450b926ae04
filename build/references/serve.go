// Serves what the suite http asks of a server, with Go's standard library: answers of one piece a second as server-sent
// events, of its own or passed on from the mock provider, and small JSON requests.
//
//	serve [URL]
//
// It says as JSON where it is reached, as `clawmesh serve --json` does, and ends with its standard input.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const interval = time.Second

type posted struct {
	Text string `json:"text"`
}

type piece struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type chunk struct {
	Choices []struct {
		Delta struct {
			Content string `json:"content"`
		} `json:"delta"`
	} `json:"choices"`
}

// server passes on what the provider at url says.
type server struct {
	client *http.Client
	url    string
}

// source writes numbered events.
type source struct {
	writer  http.ResponseWriter
	control *http.ResponseController
	number  int
}

func newSource(writer http.ResponseWriter) *source {
	writer.Header().Set("Content-Type", "text/event-stream")
	writer.Header().Set("Cache-Control", "no-store")
	writer.WriteHeader(http.StatusOK)
	return &source{writer: writer, control: http.NewResponseController(writer)}
}

func (s *source) tell(event string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	s.number++
	if _, err := fmt.Fprintf(s.writer, "id: %d\nevent: %s\ndata: %s\n\n", s.number, event, data); err != nil {
		return err
	}
	return s.control.Flush()
}

// monotonic reads the clock that the clients compare with; package time does not show it.
func monotonic() int64 {
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

func read(writer http.ResponseWriter, request *http.Request) (posted, bool) {
	var message posted
	err := json.NewDecoder(http.MaxBytesReader(writer, request.Body, 32<<20)).Decode(&message)
	if err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
	}
	return message, err == nil
}

func answer(writer http.ResponseWriter, value any) {
	writer.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(writer).Encode(value)
}

func alive(writer http.ResponseWriter, _ *http.Request) {
	answer(writer, map[string]string{"status": "ok"})
}

func echo(writer http.ResponseWriter, request *http.Request) {
	if message, ok := read(writer, request); ok {
		answer(writer, message)
	}
}

func tick(writer http.ResponseWriter, request *http.Request) {
	message, ok := read(writer, request)
	if !ok {
		return
	}
	times, err := strconv.Atoi(message.Text)
	if err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	source := newSource(writer)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for range times {
		if source.tell("piece", piece{"text", strconv.FormatInt(monotonic(), 10)}) != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-request.Context().Done():
			return
		}
	}
}

func (s *server) relay(writer http.ResponseWriter, request *http.Request) {
	if _, ok := read(writer, request); !ok {
		return
	}
	source := newSource(writer)
	if err := s.follow(request.Context(), source); err != nil {
		_ = source.tell("failed", err.Error())
	}
}

// follow passes on what the provider says until its end.
func (s *server) follow(context context.Context, source *source) error {
	body := `{"model":"600x1000","stream":true,"messages":[{"role":"user","content":"What time is it?"}]}`
	request, err := http.NewRequestWithContext(context, "POST", s.url+"/chat/completions", strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewReader(response.Body)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return err
		}
		data, found := bytes.CutPrefix(bytes.TrimRight(line, "\r\n"), []byte("data: "))
		if !found {
			continue
		}
		if bytes.Equal(data, []byte("[DONE]")) {
			return source.tell("answered", "")
		}
		var part chunk
		if err := json.Unmarshal(data, &part); err != nil {
			return err
		}
		if len(part.Choices) == 0 {
			return errors.New("a chunk without a choice")
		}
		if text := part.Choices[0].Delta.Content; text != "" {
			if err := source.tell("piece", piece{"text", text}); err != nil {
				return err
			}
		}
	}
}

func main() {
	url := ""
	if len(os.Args) > 1 {
		url = os.Args[1]
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, 1<<20
	transport.DisableCompression = true
	serving := &server{&http.Client{Transport: transport}, url}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /healthz", alive)
	routes.HandleFunc("POST /api/agents/echo/messages", echo)
	routes.HandleFunc("POST /api/agents/ticker/messages", tick)
	routes.HandleFunc("POST /api/agents/relay/messages", serving.relay)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		fmt.Printf("{\"ready\":true,\"url\":\"http://%s\"}\n", listener.Addr())
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
		err = (&http.Server{Handler: routes, ReadHeaderTimeout: 10 * time.Second}).Serve(listener)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
