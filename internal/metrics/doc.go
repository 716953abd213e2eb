// Package metrics counts what slipway does, by Prometheus' conventions: base units, totals end in _total, and no label
// whose values grow without bound: never the id of a deployment, a project or a request. Environments
// have their names as labels where visits are counted, until they are deleted. cmd hands a Metrics to whoever
// declared an interface for what they tell.
package metrics
