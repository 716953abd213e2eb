package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	psnet "github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"
)

// runs looks for the slipway-dev of the data directory.
func runs(ctx context.Context, m Machine) Finding {
	if pid := runningDev(ctx, m); pid != 0 {
		return ok("process %d, data in %s", pid, m.Config.DataDir)
	}
	return skipped("does not run with data in %s; `make up` starts it", m.Config.DataDir)
}

// runningDev returns the process of the slipway-dev that has the data directory, 0 for none. The pid of a file that was left
// behind may be another program's by now.
func runningDev(ctx context.Context, m Machine) int32 {
	text, err := os.ReadFile(filepath.Join(m.Config.DataDir, "slipway-dev.pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		return 0
	}
	if name, _ := commandOf(ctx, int32(pid)); !strings.HasPrefix(name, "slipway-dev") {
		return 0
	}
	return int32(pid)
}

func ports(ctx context.Context, m Machine) []Finding {
	dev := runningDev(ctx, m)
	var found []Finding
	for _, server := range m.Config.Servers() {
		holder, used := HolderOf(ctx, server.Addr)
		switch {
		case !used && dev == 0:
			found = append(found, ok("%s %s is free", server.Key, server.Addr))
		case !used:
			found = append(found, failed("look into the logs in "+filepath.Join(m.Config.DataDir, "log"),
				"%s: nothing listens at %s although slipway-dev runs", server.Key, server.Addr))
		case dev != 0 && holder.descendsFrom(ctx, dev), dev == 0 && holder.Name == "slipway": // a server role
			found = append(found, ok("%s %s: %s", server.Key, server.Addr, holder))
		default:
			found = append(found, failed("stop that, or set "+server.Key+" to another address", "%s: %s is in use by %s", server.Key, server.Addr, holder))
		}
	}
	return found
}

// Holder is a process that listens.
type Holder struct {
	PID  int32 // 0 when this user may not see it
	Name string
}

// String says who it is.
func (h Holder) String() string {
	if h.PID == 0 {
		return "a process of another user (root sees which)"
	}
	return fmt.Sprintf("process %d (%s)", h.PID, h.Name)
}

// descendsFrom reports whether the process is ancestor or one of its children.
func (h Holder) descendsFrom(ctx context.Context, ancestor int32) bool {
	for pid := h.PID; pid > 1; {
		if pid == ancestor {
			return true
		}
		p, err := process.NewProcessWithContext(ctx, pid)
		if err != nil {
			return false
		}
		if pid, err = p.PpidWithContext(ctx); err != nil {
			return false
		}
	}
	return false
}

// HolderOf returns who listens at a TCP address, or at its port on all addresses.
func HolderOf(ctx context.Context, addr string) (Holder, bool) {
	host, text, err := net.SplitHostPort(addr)
	port, err2 := strconv.ParseUint(text, 10, 16)
	if err != nil || err2 != nil {
		return Holder{}, false
	}
	connections, err := psnet.ConnectionsWithoutUidsWithContext(ctx, "tcp")
	if err != nil {
		return Holder{}, false
	}
	for _, c := range connections {
		if c.Status == "LISTEN" && uint64(c.Laddr.Port) == port && overlap(host, c.Laddr.IP) {
			name, _ := commandOf(ctx, c.Pid)
			return Holder{PID: c.Pid, Name: name}, true
		}
	}
	return Holder{}, false
}

// overlap reports whether two listeners on these addresses exclude each other at one port.
func overlap(a, b string) bool {
	wide := func(s string) bool { ip, err := netip.ParseAddr(s); return s == "" || err == nil && ip.IsUnspecified() }
	if a == "localhost" {
		a = "127.0.0.1"
	}
	return a == b || wide(a) || wide(b)
}

func commandOf(ctx context.Context, pid int32) (string, error) {
	if pid <= 0 {
		return "", os.ErrNotExist
	}
	p, err := process.NewProcessWithContext(ctx, pid)
	if err != nil {
		return "", err
	}
	return p.NameWithContext(ctx)
}
