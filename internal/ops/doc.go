// Package ops is the listener for the people who run slipway, apart from what a role serves: /metrics, /healthz and /readyz.
// It asks for no token, so it listens on loopback unless the configuration says otherwise.
package ops
