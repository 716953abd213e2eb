// Command registry serves slipway's own registry as the image of the distribution project does.
package main

import (
	"context"
	"log"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/slipway-dev/slipway/internal/registry"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	server, err := registry.New(registry.Options{Dir: "/var/lib/registry", Logger: slog.Default()})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", os.Getenv("REGISTRY_HTTP_ADDR"))
	if err != nil {
		log.Fatal(err)
	}
	if err := server.Serve(ctx, listener); err != nil {
		log.Fatal(err)
	}
}
