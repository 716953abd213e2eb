package docker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// listener is an address that a process in a container accepts TCP connections on.
type listener = netip.AddrPort

// dockerDNS is where the engine answers names inside a container's network namespace; the app has no part in it.
var dockerDNS = netip.MustParseAddr("127.0.0.11")

const stateListen = "0A" // TCP_LISTEN in /proc/net/tcp

// sharedKernel is the runtime whose containers surely use this machine's kernel.
const sharedKernel = "runc"

// What it may take to look into a container.
const (
	insideTimeout = 5 * time.Second
	maxTables     = 1 << 20
	maxListeners  = 64 // more are not told: they come from the app
)

// listeners returns what a container listens on, those that are reachable from outside first. The kernel's tables show it, but of a
// container with a kernel of its own, as gVisor's, nothing, and of an engine on another machine less: there the container is asked.
func (e *Engine) listeners(ctx context.Context, id string) ([]listener, error) {
	c, err := e.client.ContainerInspect(ctx, id)
	if err != nil {
		return nil, e.failure(ctx, "inspect container", err)
	}
	all, err := kernelListeners(c)
	if err != nil || (len(all) == 0 && c.HostConfig.Runtime != sharedKernel) {
		all, err = e.listenersInside(ctx, c.ID)
	}
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b listener) int { return loopbackRank(a) - loopbackRank(b) })
	return all, nil
}

// kernelListeners reads this machine's tables for the container's first process.
func kernelListeners(c container.InspectResponse) ([]listener, error) {
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
	return all, nil
}

// listenersInside reads the tables that the container sees, by the cat of its image and with the app's own rights. An app could put
// something else in its place: only the port counts of what it says, and that is one of its own container.
func (e *Engine) listenersInside(ctx context.Context, id string) ([]listener, error) {
	ctx, cancel := context.WithTimeout(ctx, insideTimeout)
	defer cancel()
	created, err := e.client.ContainerExecCreate(ctx, id, container.ExecOptions{Cmd: []string{"cat", "/proc/net/tcp", "/proc/net/tcp6"}, AttachStdout: true})
	if err != nil {
		return nil, e.failure(ctx, "look at the container's listening ports", err)
	}
	type answer struct {
		tables []byte
		err    error
	}
	answered := make(chan answer, 1)
	go func() { // the client attaches without regard to ctx
		tables, err := e.output(ctx, created.ID)
		answered <- answer{tables, err}
	}()
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("look at the container's listening ports: %w", context.Cause(ctx))
	case a := <-answered:
		if a.err != nil {
			return nil, e.failure(ctx, "look at the container's listening ports", a.err)
		}
		if !bytes.Contains(a.tables, []byte("local_address")) {
			return nil, errors.New("the container's listening ports cannot be read: most likely its image has no cat")
		}
		return parseListeners(bytes.NewReader(a.tables))
	}
}

// output starts a program in a container and returns what it prints until it or ctx ends.
func (e *Engine) output(ctx context.Context, execID string) ([]byte, error) {
	attached, err := e.client.ContainerExecAttach(ctx, execID, container.ExecAttachOptions{})
	if err != nil {
		return nil, err
	}
	defer attached.Close()
	defer context.AfterFunc(ctx, attached.Close)()
	var printed bytes.Buffer
	_, err = stdcopy.StdCopy(&printed, io.Discard, io.LimitReader(attached.Reader, maxTables))
	return printed.Bytes(), err
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
	for len(found) < maxListeners && rows.Scan() {
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
