//go:build !race

package devserver

import (
	"context"
	"fmt"
	"net/http"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
)

// startUI serves the Web UI and returns once it answers. stop is never nil.
func startUI(ctx context.Context, at, frontend endpoint, o Options) (stop func(), err error) {
	if err := at.bindable(); err != nil {
		return func() {}, fmt.Errorf("temporal Web UI address: %w", err)
	}
	host := at.host
	if host == "::1" {
		host = "[::1]" // ui-server joins host and port with a bare colon
	}
	s := uiserver.NewServer(server_options.WithConfigProvider(&uiconfig.Config{
		TemporalGRPCAddress: frontend.String(),
		Host:                host,
		Port:                at.port,
		EnableUI:            true,
		DefaultNamespace:    o.Namespace,
		Codec:               uiconfig.Codec{Endpoint: o.Codec},
		DisableNewsFetch:    true,
		HideLogs:            true,
		CORS:                uiconfig.CORS{CookieInsecure: true}, // plain HTTP on loopback
	}))
	// Start returns only after Stop; on any other error it ends the process with the reason.
	go func() { _ = s.Start() }()
	if err := waitForHTTP(ctx, "http://"+at.String()+"/healthz"); err != nil {
		return s.Stop, fmt.Errorf("temporal Web UI on %s: %w", at, err)
	}
	return s.Stop, nil
}

// waitForHTTP asks url until it answers 200.
func waitForHTTP(ctx context.Context, url string) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := get(ctx, url)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

func get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return nil
}
