package chaos_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/api/client"
)

var deploys = flag.Int("deploys", 14, "deploys of TestBackpressure: over 3 projects with 3 environments each, from 100 on over 10 with 5 each")

// pressed is an installation with more to do than it takes.
type pressed struct {
	slots, bound int
	places       []place  // all environments, a project's one after the other
	first        []string // deploys of other projects that have the build slots
	line         []string // deploys that stood in line for a build slot before the others were asked for

	mu       sync.Mutex
	accepted []string // the others
	atFirst  int      // of them, without having been refused
	refusals int
}

// place is an environment that is deployed to.
type place struct {
	app *app
	env string
}

// many deploys are spread wider, and are worth a report.
const many = 100

// pressedSlots is how many build slots there are: as many as by default.
const pressedSlots = 2

// Far more deploys are asked for at once than the installation takes. Each request is accepted or refused with 429 and
// Retry-After, and whoever is refused asks again when that says, `slipway deploy` too. All become ready, in each environment in the
// order in which they were accepted, projects take turns for build slots, memory stays bounded, and nothing is left.
func TestBackpressure(t *testing.T) {
	p := newPressed(t)
	letGo := p.fillSlots(t)
	defer letGo()
	p.standInLine(t)
	begun := time.Now()
	clients := p.post(t, *deploys-len(p.places)-1)
	at := p.places[0]
	command := slipwayDeploy(t, "the API is busy: ", at.app.project, "--commit", at.app.commit, "--environment", at.env, "--force", "--wait-busy", "1h")
	letGo()

	require.NoError(t, clients.Wait())
	p.accepted = append(p.accepted, command())
	for _, id := range slices.Concat(p.first, p.line, p.accepted) {
		await(t, id, "ready", time.Hour, func(d client.Deployment) bool { return d.Status == "ready" })
	}
	took := time.Since(begun)
	text := p.table(t, took)
	t.Log("\n" + text)
	p.requireOrder(t)
	p.requireInvariants(t)
	if *report != "" && *deploys >= many && !t.Failed() {
		rewrite(t, *report, "backpressure", fmt.Sprintf("Run on %s, on %s.\n\n%s", time.Now().UTC().Format(time.DateOnly), machine(t), text))
	}
}

// newPressed makes the projects, and lets the installation take about a third of what is not in line at once.
func newPressed(t *testing.T) *pressed {
	t.Helper()
	projects, environments := 3, 3
	if *deploys >= many {
		projects, environments = 10, 5
	}
	p := &pressed{slots: pressedSlots}
	for n := range projects {
		a := newApp(t, fmt.Sprintf("pressed-%d", n), nil, 0)
		for e := range environments {
			p.places = append(p.places, place{a, fmt.Sprintf("branch/%d", e)})
		}
	}
	require.Greater(t, *deploys, len(p.places), "-deploys: more than there are environments")
	p.bound = p.slots + len(p.places) + (*deploys-len(p.places))/3
	restartWith(t, fmt.Sprintf("SLIPWAY_MAX_QUEUED=%d", p.bound), fmt.Sprintf("SLIPWAY_BUILD_SLOTS=%d", p.slots))
	return p
}

// fillSlots has deploys of other projects take every build slot until they are let go.
func (p *pressed) fillSlots(t *testing.T) (letGo func()) {
	t.Helper()
	var let []func()
	letGo = func() {
		for _, l := range let {
			l()
		}
	}
	for n := range p.slots {
		a := newApp(t, fmt.Sprintf("pressing-%d", n), nil, 0)
		id, l := heldByFile("plan", "plan", "")(t, a)
		let = append(let, l)
		p.first = append(p.first, id)
	}
	return letGo
}

// standInLine brings a deploy of each environment into the line for build slots, one project's after the other's: in a line
// without turns the first project would build all of its own first.
func (p *pressed) standInLine(t *testing.T) {
	t.Helper()
	var environments []string
	for n, at := range p.places {
		d, wait, err := p.try(t.Context(), at, fmt.Sprint("line ", n))
		require.NoError(t, err)
		require.Zero(t, wait, "refused below the bound")
		p.line, environments = append(p.line, d.ID), append(environments, d.Environment.ID)
		await(t, d.ID, "in line", ofADeploy, func(d client.Deployment) bool { return d.Step != nil && d.Step.QueuePosition != nil })
	}
	for _, id := range environments { // or the next deploy there would supersede this one
		_, err := in.call(t.Context(), http.MethodPatch, "/v1/environments/"+id, "", map[string]any{"order_policy": "queue"}, nil)
		require.NoError(t, err)
	}
}

// try asks for a deploy once. When it is refused, wait says for how long.
func (p *pressed) try(ctx context.Context, at place, key string) (d client.Deployment, wait time.Duration, err error) {
	body := map[string]any{"commit": at.app.commit, "environment": at.env, "force": true}
	a, err := in.send(ctx, http.MethodPost, "/v1/projects/"+at.app.project+"/deployments", key, body)
	if err != nil {
		return d, 0, err
	}
	switch a.status {
	case http.StatusAccepted:
		return d, 0, json.Unmarshal(a.body, &d)
	case http.StatusTooManyRequests:
		seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
		if err == nil && seconds <= 0 {
			err = fmt.Errorf("Retry-After is %d", seconds)
		}
		return d, time.Duration(seconds) * time.Second, err
	default:
		return d, 0, fmt.Errorf("status %d: %s", a.status, a.body)
	}
}

// post asks for deploys at the same time, over all environments in turn, and returns once each client was answered. Those that
// were refused ask again when they were told to.
func (p *pressed) post(t *testing.T, deploys int) *errgroup.Group {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	var answered sync.WaitGroup
	answered.Add(deploys)
	for n := range deploys {
		group.Go(func() error {
			asks := func() (time.Duration, error) { return p.ask(ctx, p.places[n%len(p.places)], fmt.Sprint("burst ", n)) }
			wait, err := asks()
			answered.Done()
			for err == nil && wait > 0 {
				if err = pause(ctx, wait); err == nil {
					wait, err = asks()
				}
			}
			return err
		})
	}
	answered.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.atFirst = len(p.accepted)
	room := p.bound - p.slots - len(p.places)
	require.GreaterOrEqual(t, p.atFirst, room, "accepted before the bound")
	require.Less(t, p.atFirst, room+p.projects(), "accepted: those that other projects made at the same moment may pass the bound")
	require.GreaterOrEqual(t, p.refusals, deploys-p.atFirst, "refused beyond it")
	return group
}

// ask asks for a deploy and notes the answer.
func (p *pressed) ask(ctx context.Context, at place, key string) (wait time.Duration, err error) {
	d, wait, err := p.try(ctx, at, key)
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait > 0 {
		p.refusals++
	} else {
		p.accepted = append(p.accepted, d.ID)
	}
	return wait, nil
}
