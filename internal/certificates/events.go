package certificates

import (
	"context"
	"strings"

	"github.com/caddyserver/certmagic"
)

func concernsOrders(event string) bool { return strings.HasPrefix(event, "cert_") }

// event hears what certmagic does, and keeps it from ordering too much.
func (m *Manager) event(ctx context.Context, event string, data map[string]any) error {
	name, _ := data["identifier"].(string)
	renewal, _ := data["renewal"].(bool)
	switch event {
	case "cert_obtaining":
		if err := m.orders.begin(name, renewal || m.wildcard.is(name)); err != nil { // of the wildcard there is one
			m.options.Ordered("refused")
			m.log.DebugContext(ctx, "no certificate is ordered", "name", name, "error", err) // strangers may ask as often as they like
			return certmagic.ErrNoRetry{Err: err}
		}
		m.noteOrder(name)
	case "cert_obtained":
		m.orders.ended(name, false)
		m.options.Ordered(outcome(renewal))
		m.log.InfoContext(ctx, "got a certificate", "name", name, "issuer", data["issuer"], "renewal", renewal)
		m.noteWildcard(ctx, name, nil)
	case "cert_failed":
		m.orders.ended(name, true)
		m.options.Ordered("failed")
		m.log.WarnContext(ctx, "got no certificate", "name", name, "renewal", renewal, "error", data["error"])
		failure, _ := data["error"].(error)
		m.noteWildcard(ctx, name, failure)
		if abandon, ok := ctx.Value(abandonKey{}).(context.CancelFunc); ok {
			abandon()
		}
	}
	return nil
}

func outcome(renewal bool) string {
	if renewal {
		return "renewed"
	}
	return "issued"
}
