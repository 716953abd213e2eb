package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/slipway-dev/slipway/api/oapi"
)

// readyTimeout bounds one look at a component; whoever asks /readyz seldom waits longer than some seconds.
const readyTimeout = 2 * time.Second

const (
	stateOK          = "ok"
	stateUnavailable = "unavailable"
)

// Healthz answers that the process is alive, whatever it depends on.
func (s *server) Healthz(c *gin.Context) {
	c.JSON(http.StatusOK, oapi.Health{Status: stateOK})
}

// Readyz asks Postgres and Temporal at the same moment and answers 503 unless both answer.
func (s *server) Readyz(c *gin.Context) {
	pings := map[string]func(context.Context) error{"postgres": s.Store.Ping, "temporal": s.Deploys.Ping}
	answer := oapi.Readiness{Status: stateOK, Version: s.Version, Components: map[string]oapi.ComponentState{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name, ping := range pings {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(c.Request.Context(), readyTimeout)
			defer cancel()
			err := ping(ctx)
			mu.Lock()
			defer mu.Unlock()
			answer.Components[name] = s.componentState(name, err)
			if err != nil {
				answer.Status = stateUnavailable
			}
		})
	}
	wg.Wait()
	status := http.StatusOK
	if answer.Status != stateOK {
		status = http.StatusServiceUnavailable
	}
	c.JSON(status, answer)
}

// componentState keeps the error for the log: /readyz needs no token, and errors hold addresses.
func (s *server) componentState(name string, err error) oapi.ComponentState {
	if err == nil {
		return oapi.ComponentState{Status: stateOK}
	}
	s.Logger.Warn("Component does not answer", "component", name, "error", err)
	return oapi.ComponentState{Status: stateUnavailable, Reason: optional("does not answer")}
}

// Openapi serves the contract as it stands in the repository.
func (s *server) Openapi(c *gin.Context) {
	c.Data(http.StatusOK, "application/yaml", contract)
}
