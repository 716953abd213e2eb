package docker

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// listener is an address that a process in a container accepts TCP connections on.
type listener = netip.AddrPort

// dockerDNS is where the engine answers names inside a container's network namespace; the app has no part in it.
var dockerDNS = netip.MustParseAddr("127.0.0.11")

const stateListen = "0A" // TCP_LISTEN in /proc/net/tcp

// listeners returns what a container listens on, those that are reachable from outside first. It reads the kernel's
// tables for the container's first process, so it needs an engine on this machine: with another one it is an error.
func (e *Engine) listeners(ctx context.Context, id string) ([]listener, error) {
	c, err := e.client.ContainerInspect(ctx, id)
	if err != nil {
		return nil, e.failure(ctx, "inspect container", err)
	}
	proc := fmt.Sprintf("/proc/%d/", c.State.Pid)
	// A process of that number may be another one's, here or where the engine is: its cgroup is named after the container.
	cgroup, err := os.ReadFile(proc + "cgroup")
	if err != nil {
		return nil, fmt.Errorf("find the container's process: %w", err)
	}
	if !strings.Contains(string(cgroup), c.ID) {
		return nil, fmt.Errorf("process %d is not the container's", c.State.Pid)
	}
	var all []listener
	for _, table := range []string{"net/tcp", "net/tcp6"} {
		found, err := readListeners(proc + table)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortStableFunc(all, func(a, b listener) int { return loopbackRank(a) - loopbackRank(b) })
	return all, nil
}

func loopbackRank(l listener) int {
	if l.Addr().IsLoopback() {
		return 1
	}
	return 0
}

func readListeners(path string) ([]listener, error) {
	table, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil, nil // no IPv6 in this kernel
	}
	if err != nil {
		return nil, fmt.Errorf("read listening ports: %w", err)
	}
	defer func() { _ = table.Close() }()
	return parseListeners(table)
}

// parseListeners reads a table of the form of /proc/net/tcp and tcp6.
func parseListeners(table io.Reader) ([]listener, error) {
	var found []listener
	rows := bufio.NewScanner(table)
	for rows.Scan() {
		fields := strings.Fields(rows.Text())
		if len(fields) < 4 || fields[3] != stateListen {
			continue
		}
		l, err := parseAddress(fields[1])
		if err != nil {
			return nil, fmt.Errorf("read listening port %q: %w", fields[1], err)
		}
		if l.Addr() != dockerDNS {
			found = append(found, l)
		}
	}
	return found, rows.Err()
}

// parseAddress reads "0100007F:1F90": the address in 32-bit words of the machine's byte order, the port as a number.
func parseAddress(text string) (listener, error) {
	address, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(address)
	if err != nil {
		return listener{}, err
	}
	for i := 0; i+4 <= len(raw); i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.NativeEndian.Uint32(raw[i:]))
	}
	parsed, ok := netip.AddrFromSlice(raw)
	if !ok {
		return listener{}, fmt.Errorf("address of %d bytes", len(raw))
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return listener{}, err
	}
	return netip.AddrPortFrom(parsed.Unmap(), uint16(number)), nil
}
