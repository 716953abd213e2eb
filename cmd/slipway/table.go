package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/slipway-dev/slipway/api/client"
	words "github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/doctor"
)

// table is rows under a header.
type table struct {
	header []string
	rows   [][]string
	paint  int // the column coloured by statusColour; -1 for none
}

func newTable(header ...string) *table { return &table{header: header, paint: -1} }

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// printTable writes aligned columns. tabwriter counts escape sequences as text, so that every cell of a coloured column, the
// header too, gets sequences of the same length.
func (c *cli) printTable(t *table) error {
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for i, row := range append([][]string{t.header}, t.rows...) {
		cells := make([]string, len(row))
		for j, cell := range row {
			cells[j] = strings.ReplaceAll(orDash(clean(cell)), "\t", " ")
			if j == t.paint {
				with := plain
				if i > 0 {
					with = statusColour(cell)
				}
				cells[j] = paint(c.coloured(), with, cells[j])
			}
		}
		if _, err := fmt.Fprintln(w, strings.Join(cells, "\t")); err != nil {
			return err
		}
	}
	return w.Flush()
}

// pairs is a sheet of names and values.
type pairs [][2]string

func (p *pairs) add(name, value string) { *p = append(*p, [2]string{name, value}) }

// printPairs writes one pair a line, values aligned.
func (c *cli) printPairs(p pairs) error {
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for _, pair := range p {
		if _, err := fmt.Fprintf(w, "%s:\t%s\n", pair[0], strings.ReplaceAll(orDash(clean(pair[1])), "\t", " ")); err != nil {
			return err
		}
	}
	return w.Flush()
}

// statusColour is the colour of a deployment's or step's status, or of a preview's state, whatever is said of it after a comma.
func statusColour(status string) colour {
	status, _, _ = strings.Cut(status, ",")
	switch status {
	case string(client.DeploymentStatusReady), string(client.StepStatusSucceeded), string(client.StepStatusReused), string(doctor.OK),
		string(client.PreviewStateLive):
		return green
	case string(client.DeploymentStatusFailed), string(client.StepStatusLost), crashLooping, string(words.ConditionRetrying):
		return red
	case string(client.DeploymentStatusCanceled), string(client.DeploymentStatusCanceling), string(client.DeploymentStatusSuperseded),
		string(doctor.Warning), string(client.PreviewStateStopped), string(client.PreviewStateAsleep), replaced:
		return yellow
	default:
		return blue
	}
}
