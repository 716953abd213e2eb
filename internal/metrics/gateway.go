package metrics

import (
	"net/http"

	"github.com/felixge/httpsnoop"
)

// Gateway counts the answers of next. What next can do with a connection, as to upgrade it to a WebSocket, it can do still.
func (m *Metrics) Gateway(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		answered := httpsnoop.Hooks{WriteHeader: func(write httpsnoop.WriteHeaderFunc) httpsnoop.WriteHeaderFunc {
			return func(code int) {
				if code == http.StatusSwitchingProtocols || code >= 200 { // those below are only a beginning
					status = code
				}
				write(code)
			}
		}}
		defer func() { // also when the visitor leaves, which net/http is told by a panic
			m.gateway.WithLabelValues(class(status)).Inc()
		}()
		next.ServeHTTP(httpsnoop.Wrap(w, answered), r)
	})
}
