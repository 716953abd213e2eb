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

// record reads a solve's history: what stands now, or until the solve has ended. It asks by a filter: a record that was asked for by its
// ref is never dropped again (delete of BuildKit's solver/llbsolver/history, v0.34), and forget drops it.
func (b *Builder) record(ctx context.Context, ref string, now bool) (digest string, running bool, err error) {
	ctx, cancel := context.WithCancel(ctx) // ends the stream
	defer cancel()
	events, err := b.client.ControlClient().ListenBuildHistory(ctx, &controlapi.BuildHistoryRequest{Filter: []string{"ref==" + ref}, EarlyExit: now})
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
		switch {
		case event.Record.GetRef() != ref: // what is under way is not filtered
		case event.Type == controlapi.BuildHistoryEventType_COMPLETE:
			return pushedDigest(event.Record), false, nil
		default:
			running = true
		}
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

// forget has the daemon drop a solve's record once the solve has ended. The record keeps all that the build has printed as it was
// printed, and a build may print its secrets. Whoever needs the record is a worker whose predecessor died in the midst of a solve; that
// one forgot nothing. A daemon that does not answer drops the record by its own bounds.
func (b *Builder) forget(ctx context.Context, ref string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTime)
	defer cancel()
	if _, err := b.Lookup(ctx, ref); err == nil {
		_, _ = b.client.ControlClient().UpdateBuildHistory(ctx, &controlapi.UpdateBuildHistoryRequest{Ref: ref, Delete: true})
	}
}

func unavailable(address string, err error) error {
	return deployment.AwayFailure(deployment.ComponentBuildKit, "build.builder_unavailable", "check that buildkitd runs at "+address, "use builder %s: %w", address, err)
}
