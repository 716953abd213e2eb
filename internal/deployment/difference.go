package deployment

// Difference is something that is not as the rows say, or that no row knows of.
type Difference struct {
	Kind   string `json:"kind"` // of the thing: a kind of the ledger, or deployment, retry, turn, workflow, image, log, deletion, host
	Thing  string `json:"thing"`
	Host   string `json:"host,omitempty"`   // that holds it; empty for what no host holds
	Found  string `json:"found"`            // what differs
	Repair string `json:"repair,omitempty"` // what repairs it, as in "removed"; empty for what slipway cannot repair
	Error  string `json:"error,omitempty"`  // why it was not repaired
	Fix    string `json:"fix,omitempty"`    // what a person has to do
}

// Run is one run of a deployment's workflow.
type Run struct {
	DeploymentID, RunID string
}
