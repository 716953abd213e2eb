package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// sampleEvery is how often the memory of a child and its children is looked at.
const sampleEvery = 25 * time.Millisecond

// watch returns a function that stops watching and says how much memory the process and its descendants took together at
// most. A page that several share counts once (Pss).
func watch(pid int) (peak func() int64) {
	stop, done := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		var most int64
		for {
			most = max(most, memory(pid))
			select {
			case <-tick.C:
			case <-stop:
				done <- most
				return
			}
		}
	}()
	return func() int64 { close(stop); return <-done }
}

// memory is nothing for a process that has ended.
func memory(pid int) int64 {
	var sum int64
	rollup, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	lines := bufio.NewScanner(bytes.NewReader(rollup))
	for lines.Scan() {
		if kb, ok := strings.CutPrefix(lines.Text(), "Pss:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(kb, "kB")), 10, 64)
			sum += n << 10
		}
	}
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for child := range strings.FieldsSeq(string(children)) {
		if pid, err := strconv.Atoi(child); err == nil {
			sum += memory(pid)
		}
	}
	return sum
}
