package metrics_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
	sdkclient "go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/metrics"
	"github.com/slipway-dev/slipway/temporal"
	"github.com/slipway-dev/slipway/temporal/devservertest"
)

var promQL = parser.NewParser(parser.Options{})

func TestMain(m *testing.M) {
	code := m.Run()
	devservertest.Stop()
	os.Exit(code)
}

// exposed returns every name that a process of slipway exposes, with Temporal's as a real worker makes them.
func exposed(t *testing.T) map[string]bool {
	t.Helper()
	m := metrics.New("1")
	m.Count(&source{})
	m.Builders(func() []deployment.BuilderStatus { return []deployment.BuilderStatus{{Address: "tcp://a:1234"}} })
	m.Certificates(func() map[string]time.Time { return map[string]time.Time{"own": time.Now()} })
	m.QueueWaited(time.Second)
	m.StepEnded(deployment.StepBuild, deployment.StepFailed, deployment.ClassUser, time.Minute)
	m.PhaseEnded(deployment.StepRelease, deployment.PhaseProbe, time.Second)
	m.Repaired("started", 1)
	m.APIAnswered("GET", "/v1/projects", 200, time.Second)
	m.VisitBegan(deployment.Place{Project: "shop", Environment: "production"})(deployment.Visit{Status: 200})
	work(t, m)
	names := map[string]bool{"up": true} // Prometheus's own
	for line := range strings.Lines(scrape(t, m)) {
		if !strings.HasPrefix(line, "#") {
			names[line[:strings.IndexAny(line, "{ ")]] = true
		}
	}
	return names
}

// work lets a workflow with an activity run to its end on a real server, and another fail its first task.
func work(t *testing.T, m *metrics.Metrics) {
	t.Helper()
	meter, err := m.Meter("temporal-sdk-go")
	require.NoError(t, err)
	client, err := sdkclient.DialContext(t.Context(), sdkclient.Options{
		HostPort: devservertest.Start(t), Namespace: devservertest.Namespace(t), MetricsHandler: temporal.MetricsHandler(meter, slog.New(slog.DiscardHandler)),
	})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	queue := "metrics-" + uuid.NewString()
	w := sdkworker.New(client, queue, sdkworker.Options{})
	failed := make(chan struct{}, 100)
	act := func(context.Context) error { return nil }
	w.RegisterActivity(act)
	sound := func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		return workflow.ExecuteActivity(ctx, act).Get(ctx, nil)
	}
	broken := func(workflow.Context) error { failed <- struct{}{}; panic("of purpose") }
	w.RegisterWorkflowWithOptions(sound, workflow.RegisterOptions{Name: "sound"})
	w.RegisterWorkflowWithOptions(broken, workflow.RegisterOptions{Name: "broken"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	options := sdkclient.StartWorkflowOptions{TaskQueue: queue}
	run, err := client.ExecuteWorkflow(t.Context(), options, "broken")
	require.NoError(t, err)
	<-failed
	<-failed // the failure of the first has been told by now
	require.NoError(t, client.TerminateWorkflow(t.Context(), run.GetID(), "", "seen"))
	run, err = client.ExecuteWorkflow(t.Context(), options, "sound")
	require.NoError(t, err)
	require.NoError(t, run.Get(t.Context(), nil))
}

// requireExposed checks that an expression is right and asks for nothing that nobody exposes.
func requireExposed(t *testing.T, names map[string]bool, expr string) {
	t.Helper()
	parsed, err := promQL.ParseExpr(expr)
	require.NoError(t, err, expr)
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			require.True(t, names[s.Name], "nobody exposes %q, in %s", s.Name, expr)
		}
		return nil
	})
}

var heading = regexp.MustCompile(`(?m)^## (\w+)$`)

func TestAlertsAndDashboard(t *testing.T) {
	t.Parallel()
	names := exposed(t)
	rules, errs := rulefmt.ParseFile("../../deploy/prometheus/alerts.yaml", false, model.UTF8Validation, promQL)
	require.Empty(t, errs)
	manual, err := os.ReadFile("../../docs/alerts.md")
	require.NoError(t, err)
	var alerts, sections []string
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			requireExposed(t, names, rule.Expr)
			require.Contains(t, []string{"critical", "warning"}, rule.Labels["severity"], rule.Alert)
			require.NotEmpty(t, rule.Annotations["summary"], rule.Alert)
			require.Equal(t, "docs/alerts.md#"+strings.ToLower(rule.Alert), rule.Annotations["runbook"])
			alerts = append(alerts, rule.Alert)
		}
	}
	for _, found := range heading.FindAllStringSubmatch(string(manual), -1) {
		sections = append(sections, found[1])
	}
	require.Equal(t, alerts, sections, "the manual has a section for each alert, in their order")

	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	data, err := os.ReadFile("../../deploy/grafana/slipway.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &dashboard))
	require.NotEmpty(t, dashboard.Panels)
	for _, panel := range dashboard.Panels {
		require.NotEmpty(t, panel.Targets, panel.Title)
		for _, target := range panel.Targets {
			requireExposed(t, names, strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"))
		}
	}
}
