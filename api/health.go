package api

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/slipway-dev/slipway/api/oapi"
	"github.com/slipway-dev/slipway/internal/deployment"
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

// Readyz asks Postgres, its schema and Temporal at the same moment and answers 503 unless all are well.
func (s *server) Readyz(c *gin.Context) {
	pings := map[string]func(context.Context) error{"postgres": s.Store.Ping, "schema": s.Store.Schema, "temporal": s.Deploys.Ping}
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
	s.Logger.Warn("Component is not ready", "component", name, "error", err)
	reason := "does not answer"
	if f, ok := errors.AsType[*deployment.Failure](err); ok && f.Component == "" { // it has answered, with what is to be done
		reason = f.Message + "; " + f.Fix
	}
	return oapi.ComponentState{Status: stateUnavailable, Reason: &reason}
}

// Openapi serves the contract as it stands in the repository.
func (s *server) Openapi(c *gin.Context) {
	c.Data(http.StatusOK, "application/yaml", contract)
}
