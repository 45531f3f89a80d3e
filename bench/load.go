package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// work is one kind of request, and where each server answers it.
type work struct {
	name  string
	body  string
	paths map[string]string // server → path
}

// result is what one server did in one round.
type result struct {
	requests  int
	perSecond float64
	p99       time.Duration
	cpu       time.Duration // server CPU a request
	allocs    float64       // a request
	bytes     float64       // allocated a request
}

// load sends a request over so many connections as there are tokens, each waiting for its answer (a closed loop), for the given time.
func load(address, path, body string, tokens []string, d time.Duration) (requests int, p99 time.Duration, err error) {
	var (
		mu    sync.Mutex
		all   sync.WaitGroup
		times []time.Duration
		fails error
	)
	deadline := time.Now().Add(d)
	for i, token := range tokens {
		all.Go(func() {
			mine, err := converse(address, requestOf(path, bodyOf(body, i), token), deadline)
			mu.Lock()
			defer mu.Unlock()
			times = append(times, mine...)
			if err != nil {
				fails = err
			}
		})
	}
	all.Wait()
	if fails != nil || len(times) == 0 {
		return 0, 0, fmt.Errorf("%s: %d answers, %w", path, len(times), fails)
	}
	slices.Sort(times)
	return len(times), times[len(times)*99/100], nil
}

// requestOf is a request as it is sent.
func requestOf(path, body, token string) []byte {
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nConnect-Protocol-Version: 1\r\nContent-Length: %d\r\n", path, len(body))
	if token != "" {
		request = fmt.Appendf(request, "Authorization: Bearer %s\r\n", token)
	}
	request = fmt.Appendf(request, "\r\n%s", body)
	return request
}

// fresh puts a new id and another day into a request in which they stand as {id}, of 36 characters, and, wherever it stands, {day}, of ten.
func fresh(request []byte) {
	copy(request[bytes.Index(request, []byte(idPlace)):], uuid.NewString())
	day := time.Unix(rand.Int64N(20*365)*24*60*60+1e9, 0).UTC().Format(time.DateOnly) //nolint:gosec // any day
	for {
		at := bytes.Index(request, []byte(dayPlace))
		if at < 0 {
			return
		}
		copy(request[at:], day)
	}
}

const (
	idPlace  = "{id________________________________}"
	dayPlace = "{day_____}"
)

// converse is one connection: it sends, reads the whole answer, and sends again.
func converse(address string, pattern []byte, deadline time.Time) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", address) //nolint:noctx // loopback
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	reader := bufio.NewReaderSize(conn, 64<<10)
	var times []time.Duration
	request, changes := bytes.Clone(pattern), bytes.Contains(pattern, []byte(idPlace))
	for {
		if changes {
			copy(request, pattern)
			fresh(request)
		}
		begin := time.Now()
		if begin.After(deadline) {
			return times, nil
		}
		if _, err := conn.Write(request); err != nil {
			return times, err
		}
		res, err := http.ReadResponse(reader, nil)
		if err != nil {
			return times, err
		}
		_, err = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if err != nil {
			return times, err
		}
		if res.StatusCode != http.StatusOK {
			return times, fmt.Errorf("status %d", res.StatusCode)
		}
		times = append(times, time.Since(begin))
	}
}
