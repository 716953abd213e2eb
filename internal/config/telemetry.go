package config

// Telemetry is what operators see of a process.
type Telemetry struct {
	OpsAddr      string // where /metrics, /healthz and /readyz are served, host:port; empty: nowhere
	OTLPEndpoint string // base URL of an OTLP collector; empty: no traces
}

// Where a role serves operators by default: each has its own port, so that all of them fit on one machine.
const (
	opsAddrAPI     = "127.0.0.1:9101"
	opsAddrWorker  = "127.0.0.1:9102"
	opsAddrGateway = "127.0.0.1:9103"
)

func (t *Telemetry) keys(initial string, addr addrCheck) []key {
	return []key{
		{
			env: "SLIPWAY_OPS_ADDR", path: "telemetry.ops_addr", initial: initial, value: text(&t.OpsAddr, optional(addr)),
			doc: "Where `/metrics`, `/healthz` and `/readyz` are served, without a token; empty for nowhere. `slipway worker` has port 9102 by default, `slipway gateway` 9103.",
		},
		{
			env: "SLIPWAY_OTLP_ENDPOINT", path: "telemetry.otlp_endpoint", value: text(&t.OTLPEndpoint, optional(webURL)),
			doc: "OTLP collector that traces are sent to by HTTP, such as `http://127.0.0.1:4318`; empty for no traces. `OTEL_EXPORTER_OTLP_HEADERS` is heeded.",
		},
	}
}
