// Package workflows holds deterministic code only: what Temporal replays. No clock, no randomness, no map order, no
// input or output; those are activities. workflowcheck and the replay of recorded histories keep it so.
package workflows
