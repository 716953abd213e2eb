package main

import (
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/api/oapi"
)

// previewOf is the preview of a deployment that is live in an environment.
func previewOf(number int, environment string) oapi.Preview {
	kind := oapi.EnvironmentKindBranch
	if environment == "production" {
		kind = oapi.EnvironmentKindProduction
	}
	return oapi.Preview{
		DeploymentID: deploymentID(number), Number: number, Project: "shop", ProjectID: projectID, State: "live", Live: true,
		Environment: oapi.PreviewEnvironment{ID: envID, Name: environment, Kind: kind, URL: "http://shop-" + strings.ReplaceAll(environment, "/", "-") + ".localhost:8000"},
		URL:         made(number, "ready").PreviewURL, Host: "host-1", Wanted: new("running"), IdleSeconds: new(int64(90)),
		ExpiresAt: new(noon.Add(49 * time.Hour)), SleepsAt: new(noon.Add(time.Hour)),
		Usage: &oapi.PreviewUsage{
			SampledAt: noon.Add(-5 * time.Second), Current: true, CPUCores: 0.123, MemoryBytes: 61 << 20, MemoryLimitBytes: new(int64(512 << 20)), Pids: 11,
			StartedAt: new(noon.Add(-time.Hour)),
		},
		CreatedAt: noon.Add(-time.Hour), UpdatedAt: noon.Add(-time.Hour),
	}
}

func (f *fakeAPI) ListPreviews(c *gin.Context, params oapi.ListPreviewsParams) {
	f.mu.Lock()
	defer f.mu.Unlock()
	items := []oapi.Preview{}
	for _, p := range f.previews {
		if (params.State == nil || p.State == *params.State) && (params.Environment == nil || p.Environment.Name == *params.Environment) {
			items = append(items, p)
		}
	}
	from, to, next := f.page(len(items), params.Limit, params.Cursor)
	c.JSON(200, oapi.PreviewList{Items: items[from:to], NextCursor: next})
}

// givePreview answers with a preview after change.
func (f *fakeAPI) givePreview(c *gin.Context, id string, status int, change func(p *oapi.Preview)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.previews {
		if p := &f.previews[i]; p.DeploymentID == id {
			change(p)
			c.JSON(status, *p)
			return
		}
	}
	refuse(c, oapi.Problem{Status: 404, Code: "no_preview", Detail: "the deployment has no preview", Field: new("id")})
}

func (f *fakeAPI) GetPreview(c *gin.Context, id oapi.PreviewPath) {
	f.givePreview(c, id, 200, func(p *oapi.Preview) {
		if f.onPreview != nil {
			f.onPreview(p)
		}
	})
}

func (f *fakeAPI) StopPreview(c *gin.Context, id oapi.PreviewPath) {
	f.givePreview(c, id, 202, func(p *oapi.Preview) { p.Wanted, p.Condition = new("stopped"), new("stopping") })
}

func (f *fakeAPI) StartPreview(c *gin.Context, id oapi.PreviewPath) {
	f.givePreview(c, id, 202, func(p *oapi.Preview) { p.Wanted, p.Condition, p.Failure = new("running"), new("starting"), nil })
}

func (f *fakeAPI) PinPreview(c *gin.Context, id oapi.PreviewPath) {
	f.givePreview(c, id, 202, func(p *oapi.Preview) { p.Pinned, p.ExpiresAt = true, nil })
}

func (f *fakeAPI) UnpinPreview(c *gin.Context, id oapi.PreviewPath) {
	f.givePreview(c, id, 202, func(p *oapi.Preview) { p.Pinned, p.ExpiresAt = false, new(noon.Add(168*time.Hour)) })
}

func (f *fakeAPI) ExtendPreview(c *gin.Context, id oapi.PreviewPath) {
	var body oapi.PreviewExtension
	require.NoError(f.t, c.BindJSON(&body))
	f.givePreview(c, id, 202, func(p *oapi.Preview) { p.ExpiresAt = &body.Until })
}

func (f *fakeAPI) GetPreviewStats(c *gin.Context, id oapi.PreviewPath) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.previews {
		p := &f.previews[i]
		if p.DeploymentID != id {
			continue
		}
		f.statsLooks++
		if f.onStats != nil {
			f.onStats(p, f.statsLooks)
		}
		stats := oapi.PreviewStats{DeploymentID: id, State: p.State, Condition: p.Condition, Usage: p.Usage, IdleSeconds: p.IdleSeconds}
		if p.Live {
			stats.Requests = new(f.requestsOf)
		}
		c.JSON(200, stats)
		return
	}
	notFound(c, "no deployment has this id")
}

// GetPreviewLogs gives the app's lines, as the deployment's log holds them.
func (f *fakeAPI) GetPreviewLogs(c *gin.Context, id oapi.PreviewPath, params oapi.GetPreviewLogsParams) {
	f.GetLogs(c, id, oapi.GetLogsParams{After: params.After, Limit: params.Limit, LastEventID: params.LastEventID})
}
