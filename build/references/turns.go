// Runs many conversation turns at once with Go's standard library, as turns_floor.py does, and prints what that cost.
//
//	turns URL TURNS
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	model   = "tool:1x200"
	seconds = 180
)

type message struct {
	Role       string          `json:"role"`
	Content    *string         `json:"content"`
	ToolCallID string          `json:"tool_call_id,omitempty"`
	ToolCalls  json.RawMessage `json:"tool_calls,omitempty"`
}

type query struct {
	Model    string          `json:"model"`
	Messages []message       `json:"messages"`
	Tools    json.RawMessage `json:"tools"`
}

type reply struct {
	Choices []struct {
		Message message `json:"message"`
	} `json:"choices"`
}

type figures struct {
	Turns       int     `json:"turns"`
	Failed      int     `json:"failed"`
	WallSeconds float64 `json:"wall_seconds"`
	CPUms       float64 `json:"cpu_ms_per_turn"`
	PeakMB      float64 `json:"peak_rss_mb"`
	Reason      string  `json:"reason"`
}

var tools = json.RawMessage(`[{"type":"function","function":{"name":"clock","description":"Tell what time it is."}}]`)

func ask(client *http.Client, url string, history []message) (message, error) {
	body, err := json.Marshal(query{model, history, tools})
	if err != nil {
		return message{}, err
	}
	response, err := client.Post(url+"/chat/completions", "application/json", bytes.NewReader(body))
	if err != nil {
		return message{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return message{}, err
	}
	if response.StatusCode != http.StatusOK {
		return message{}, fmt.Errorf("the provider answered %d", response.StatusCode)
	}
	var answer reply
	if err := json.Unmarshal(text, &answer); err != nil {
		return message{}, err
	}
	return answer.Choices[0].Message, nil
}

func turn(client *http.Client, url string) error {
	question, twelve := "What time is it?", "twelve"
	history := []message{{Role: "user", Content: &question}}
	for {
		answer, err := ask(client, url, history)
		if err != nil {
			return err
		}
		history = append(history, answer)
		if answer.ToolCalls == nil {
			if answer.Content == nil || strings.TrimSpace(*answer.Content) == "" || len(history) < 4 {
				return fmt.Errorf("an answer without a text or before its tool")
			}
			return nil
		}
		var calls []struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(answer.ToolCalls, &calls); err != nil {
			return err
		}
		for _, call := range calls {
			history = append(history, message{Role: "tool", Content: &twelve, ToolCallID: call.ID})
		}
	}
}

func run(client *http.Client, url string, turns int) figures {
	result := figures{Turns: turns, Failed: turns}
	started, before := time.Now(), processor()
	var lock sync.Mutex
	var group sync.WaitGroup
	for range turns {
		group.Go(func() {
			err := turn(client, url)
			lock.Lock()
			defer lock.Unlock()
			if err == nil {
				result.Failed--
			} else {
				result.Reason = err.Error()
			}
		})
	}
	group.Wait()
	cpu := processor() - before
	result.WallSeconds = time.Since(started).Seconds()
	if done := turns - result.Failed; done > 0 {
		result.CPUms = cpu * 1000 / float64(done)
	}
	result.PeakMB = highest() / 1024
	return result
}

func processor() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

// highest reads the KiB of memory held at most; rusage would count whoever started this process, too.
func highest() float64 {
	status, err := os.ReadFile("/proc/self/status")
	check(err)
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	check(err)
	return kib
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	turns, err := strconv.Atoi(os.Args[2])
	check(err)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, 1<<20
	transport.DisableCompression = true
	client := &http.Client{Transport: transport, Timeout: seconds * time.Second}
	check(turn(client, os.Args[1]))
	check(json.NewEncoder(os.Stdout).Encode(run(client, os.Args[1], turns)))
}
