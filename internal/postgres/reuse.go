package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// bakedIn is the warning of a deployment whose image was built for another.
var bakedIn = []deployment.Warning{deployment.NewWarning("image.reused", "", 0,
	"the image was built before: env vars of the build are those of that time and of its environment; those of the runtime are read anew")}

// reuseImage gives a deployment, just inserted, the image of another and all that tells where it came from.
func reuseImage(ctx context.Context, q *db.Queries, id, environmentID string, reuse deployment.Reuse) error {
	source := reuse.From
	if source == "" {
		var err error
		source, err = q.LiveBefore(ctx, environmentID)
		if errors.Is(err, pgx.ErrNoRows) {
			return deployment.ErrNothingBefore
		}
		if err != nil {
			return err
		}
	}
	warnings, err := json.Marshal(bakedIn)
	if err != nil {
		return fmt.Errorf("encode warnings: %w", err)
	}
	rows, err := q.ReuseImage(ctx, db.ReuseImageParams{ID: id, Source: source, Warnings: warnings})
	if err == nil && rows == 0 {
		err = whyNoImage(ctx, q, source)
	}
	return err
}

func whyNoImage(ctx context.Context, q *db.Queries, source string) error {
	removed, err := q.ImageWasRemoved(ctx, source)
	switch {
	case err != nil:
		return err
	case removed:
		return deployment.ErrImageRemoved
	default:
		return deployment.ErrNoImage
	}
}
