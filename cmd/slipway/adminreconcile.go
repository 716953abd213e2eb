package main

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/cmd/internal/roles"
	"github.com/slipway-dev/slipway/internal/config"
	domain "github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
)

const machineNote = `

Runs on the machine itself, with the settings that slipway runs with and the right to reach its database and its Temporal.`

func (c *cli) adminReconcile() *cobra.Command {
	pass := roles.Reconciliation{}
	command := &cobra.Command{
		Use: "reconcile", Short: "Show and repair what differs from what should be", Args: cobra.NoArgs,
		Long: `Compare what is with what should be, now, and repair what differs: the rows of Postgres with the workflows of Temporal, the
ownership ledger with the registry's tags and, on every host, with the containers and networks of its Docker engine and the
checkouts on its disk. slipway does this by itself every SLIPWAY_RECONCILE_INTERVAL; this command waits for one pass and shows it.
It removes nothing that is not the installation's, and lets be what is younger than SLIPWAY_SCHEDULE_TO_START (a minute).

One line is one difference. With --dry-run nothing is repaired, and the last column says what would be done. A host that does not
answer is a difference of its own.

Exit code 0: nothing differs, or all of it was repaired. 6: something differs (--dry-run), or was not repaired.` + machineNote,
		Example: `  sudo -E slipway admin reconcile --dry-run
  sudo -E slipway admin reconcile
  sudo -E slipway admin reconcile --dry-run --output json | jq '.items[] | select(.kind == "container")'
  docker compose -f deploy/compose.yaml exec api slipway admin reconcile`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.onMachine(cmd.Context(), func(m config.Dev, _ *postgres.Store) error {
				return c.reconcile(cmd.Context(), m, pass)
			})
		},
	}
	command.Flags().BoolVar(&pass.DryRun, "dry-run", false, "show what differs, and repair nothing")
	command.Flags().DurationVar(&pass.Timeout, "timeout", 5*time.Minute, "how long to wait for it")
	return command
}

// reconciled is the answer of `slipway admin reconcile`.
type reconciled struct {
	DryRun bool                `json:"dry_run"`
	Items  []domain.Difference `json:"items"`
	More   int                 `json:"more"` // differences that are not among the items
}

func (c *cli) reconcile(ctx context.Context, m config.Dev, pass roles.Reconciliation) error {
	pass.Tell = func(what string) { c.say("waiting for %s", clean(what)) }
	result, err := pass.Run(ctx, m, c.logger(m.Log))
	if err != nil {
		return err
	}
	answer := reconciled{DryRun: pass.DryRun, Items: result.Differences, More: result.More}
	if answer.Items == nil {
		answer.Items = []domain.Difference{}
	}
	slices.SortStableFunc(answer.Items, func(a, b domain.Difference) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Host, b.Host), cmp.Compare(a.Thing, b.Thing))
	})
	if err := c.print(answer, func() error { return c.printDifferences(answer) }); err != nil {
		return err
	}
	return answer.verdict()
}

func (c *cli) printDifferences(answer reconciled) error {
	if len(answer.Items) == 0 {
		return c.line("nothing differs")
	}
	done := "DONE"
	if answer.DryRun {
		done = "TO BE"
	}
	t := newTable("KIND", "THING", "HOST", "DIFFERENCE", done)
	for _, d := range answer.Items {
		t.add(d.Kind, d.Thing, d.Host, d.Found, outcome(d))
	}
	if err := c.printTable(t); err != nil {
		return err
	}
	if answer.More > 0 {
		c.say("and %d more", answer.More)
	}
	return nil
}

// outcome says what becomes of a difference.
func outcome(d domain.Difference) string {
	switch {
	case d.Error != "" && d.Repair != "":
		return "not " + d.Repair + ": " + because(d)
	case d.Repair != "":
		return d.Repair
	default:
		return because(d)
	}
}

func because(d domain.Difference) string {
	if d.Error != "" && d.Fix != "" {
		return d.Error + "; fix: " + d.Fix
	}
	return d.Error + d.Fix
}

// verdict is the error that says that something still differs.
func (r reconciled) verdict() error {
	left := r.More
	for _, d := range r.Items {
		if r.DryRun || d.Error != "" || d.Repair == "" {
			left++
		}
	}
	switch {
	case left == 0:
		return nil
	case r.DryRun:
		return &shownError{
			message: counted(left, "difference", "differences"), calm: true, exit: exitDiffers,
			hints: []string{"repair what can be repaired: slipway admin reconcile"},
		}
	default:
		return &shownError{message: counted(left, "difference is", "differences are") + " left", exit: exitDiffers}
	}
}
