//go:build !race

package devserver

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"
)

// minRetention is the shortest retention that the server accepts for a namespace.
const minRetention = time.Hour

// Options says what Run serves. DataFile, Addr, Namespace and Retention are required.
type Options struct {
	DataFile         string        // path of the SQLite file; made at first start, its folder must exist
	Addr             string        // frontend gRPC address, host:port on loopback
	UIAddr           string        // Web UI address, host:port on loopback; empty for no Web UI
	Codec            string        // URL of the endpoint that decrypts for the Web UI; empty for none
	Namespace        string        // registered at first start
	Retention        time.Duration // of closed workflows; set at every start, at least an hour
	SearchAttributes []string      // Keyword attributes of the namespace; missing ones are added at every start
	Logger           *slog.Logger  // nil for slog.Default()
	LogLevel         slog.Level    // lowest level at which the server's own lines are logged
	Ready            func()        // called once, when the namespace can be used; may be nil
}

// endpoint is a checked host:port.
type endpoint struct {
	host string
	port int
}

// String returns host:port.
func (e endpoint) String() string { return net.JoinHostPort(e.host, strconv.Itoa(e.port)) }

// check returns the frontend's and the Web UI's endpoints, the latter nil without one, or every fault of o.
func (o Options) check() (frontend endpoint, ui *endpoint, err error) {
	var faults []error
	if o.DataFile == "" {
		faults = append(faults, errors.New("data file: no path given"))
	}
	if o.Namespace == "" {
		faults = append(faults, errors.New("namespace: no name given"))
	}
	if o.Retention < minRetention {
		faults = append(faults, fmt.Errorf("retention %s: give at least %s", o.Retention, minRetention))
	}
	frontend, err = parseEndpoint(o.Addr)
	if err != nil {
		faults = append(faults, fmt.Errorf("frontend address: %w", err))
	}
	if o.UIAddr != "" {
		e, err := parseEndpoint(o.UIAddr)
		if err != nil {
			faults = append(faults, fmt.Errorf("address of the Web UI: %w", err))
		}
		ui = &e
	}
	return frontend, ui, errors.Join(faults...)
}

// parseEndpoint accepts only loopback: the server has no authentication.
func parseEndpoint(addr string) (endpoint, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return endpoint{}, fmt.Errorf("%q: give host:port", addr)
	}
	port, err := strconv.Atoi(portText)
	if err != nil || port < 1 || port > 65535 {
		return endpoint{}, fmt.Errorf("%q: give a port from 1 to 65535", addr)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return endpoint{}, fmt.Errorf("%q: give a loopback address, the server has no authentication", addr)
	}
	return endpoint{host: host, port: port}, nil
}

// bindable says early and plainly that an address is taken; the server would end the process from within.
func (e endpoint) bindable() error {
	l, err := net.Listen("tcp", e.String())
	if err != nil {
		return err
	}
	return l.Close()
}
