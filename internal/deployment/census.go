package deployment

import "time"

// Census counts what an installation has at a moment.
type Census struct {
	Deployments  map[Status]int
	Previews     map[PreviewState]int
	Slots        []HostSlots   // of the build hosts that were seen lately
	OldestQueued time.Duration // how long the deployment that has waited longest for its start has waited; 0 for none
}

// HostSlots are the build slots of a host.
type HostSlots struct {
	Host        string
	Slots, Used int
	Closed      bool // those that are not used are given to nobody
}
