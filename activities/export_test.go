package activities

// AtEdge is atEdge, for tests.
var AtEdge = atEdge

// Holds returns how many attempts at steps of a deployment run in this process.
func (r *Recorder) Holds(deploymentID string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held[deploymentID]
}
