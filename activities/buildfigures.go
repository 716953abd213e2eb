package activities

import (
	"context"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// asideTime bounds how long the registry is asked for what a build can do without: its cache, the image before.
const asideTime = 5 * time.Second

// figures completes what a solve has told with what changed since the environment's last image, and says it at the end of the
// step's log. Names of vertices hold what a Dockerfile says, which may be a secret's value.
func (b *Build) figures(ctx context.Context, d deployment.Deployment, outcome deployment.BuildOutcome) *deployment.BuildFigures {
	log, figures := logOf(ctx, b.Logs), outcome.BuildFigures
	for i, v := range figures.Vertices {
		figures.Vertices[i].Name = bounded(b.Logs.Redact(d.ID, strings.ReplaceAll(v.Name, "\n", " ")), maxSpanName)
	}
	if figures.Image != nil {
		asking, cancel := context.WithTimeout(ctx, asideTime)
		defer cancel()
		changed, err := b.changes(asking, d, outcome.Layers)
		if err != nil {
			log.say("the image is not compared with the one before: %v", err)
		}
		figures.Image.Changed = changed
	}
	for _, line := range figures.Summary() {
		log.say("%s", line)
	}
	return &figures
}

// changes compares layers with those of the environment's last image; nil when there is none, or the registry has it no more.
func (b *Build) changes(ctx context.Context, d deployment.Deployment, layers []deployment.Layer) (*deployment.ImageChanges, error) {
	before, err := b.Store.ImageBefore(ctx, d.ID)
	if err != nil || before == nil {
		return nil, err
	}
	earlier, err := b.Images.Layers(ctx, b.PushHost+"/"+before.Image+"@"+before.ImageDigest)
	if err != nil || earlier == nil {
		return nil, err
	}
	return deployment.ChangedSince(before.Number, earlier, layers), nil
}
