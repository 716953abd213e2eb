package buildkit

import (
	"context"
	"errors"
	"fmt"
	"io"

	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Lookup returns the digest of the solve named ref when this daemon finished and pushed it without error, and "" when it
// failed or the daemon knows none of that name. A solve that is still running is waited for until ctx ends.
func (b *Builder) Lookup(ctx context.Context, ref string) (string, error) {
	digest, running, err := b.record(ctx, ref, true)
	if running && err == nil {
		digest, _, err = b.record(ctx, ref, false)
	}
	if ended := endOf(ctx, err); ended != nil {
		return "", fmt.Errorf("look up build %s: %w", ref, ended)
	}
	switch {
	case err == nil:
		return digest, nil
	case grpcerrors.Code(err) == codes.Unavailable:
		return "", unavailable(b.address, err)
	}
	return "", fmt.Errorf("look up build %s: %w", ref, err)
}

// record reads a solve's history: what stands now, or until the solve has ended.
func (b *Builder) record(ctx context.Context, ref string, now bool) (digest string, running bool, err error) {
	ctx, cancel := context.WithCancel(ctx) // ends the stream
	defer cancel()
	events, err := b.client.ControlClient().ListenBuildHistory(ctx, &controlapi.BuildHistoryRequest{Ref: ref, EarlyExit: now})
	if err != nil {
		return "", false, err
	}
	for {
		event, err := events.Recv()
		if errors.Is(err, io.EOF) {
			return "", running, nil
		}
		if err != nil {
			return "", running, err
		}
		if event.Type == controlapi.BuildHistoryEventType_COMPLETE {
			return pushedDigest(event.Record), false, nil
		}
		running = true
	}
}

// pushedDigest returns what a finished solve pushed. A failed push is complete too, with an error. The digest stands
// under the number of the exporter, and there is one.
func pushedDigest(record *controlapi.BuildHistoryRecord) string {
	if record.Error != nil || record.Result == nil {
		return ""
	}
	return record.Result.Results[0].GetDigest()
}

func unavailable(address string, err error) error {
	return deployment.AwayFailure(deployment.ComponentBuildKit, "build.builder_unavailable", "check that buildkitd runs at "+address, "use builder %s: %w", address, err)
}
