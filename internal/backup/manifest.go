package backup

import "time"

// Format is the version of the file's layout that this slipway writes and reads.
const Format = 1

// The parts of a backup besides its tables.
const (
	Keyset        = "keyset.json"
	Configuration = "configuration.env"
	PlanOverrides = "plan-overrides.yaml"
	Images        = "images.json"
	manifest      = "manifest.json" // the last one, since it counts what is in the others
)

// Manifest says what a backup holds and where it comes from.
type Manifest struct {
	Format        int       `json:"format"`
	Version       string    `json:"slipway_version"`
	Schema        int       `json:"schema_version"`
	Installation  string    `json:"installation,omitempty"`
	TakenAt       time.Time `json:"taken_at"`
	PreviewDomain string    `json:"preview_domain"`
	WithoutLogs   bool      `json:"without_logs,omitempty"`
	Tables        []Table   `json:"tables"`
}

// Table is a table of the database, whose rows are a part of their own, in the text format of COPY.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Rows    int64    `json:"rows"`
}

// Rows returns how many rows of a table there are.
func (m Manifest) Rows(table string) int64 {
	for _, t := range m.Tables {
		if t.Name == table {
			return t.Rows
		}
	}
	return 0
}

func partOf(table string) string { return "tables/" + table + ".copy" }
