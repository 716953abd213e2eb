// Package activities holds the steps of a deploy that touch the world: one struct per set of dependencies, its methods
// the activities, named by verb phrases because the Web UI shows them and histories store them.
//
// Three things surround every activity and are written once, as interceptors: its step is recorded (record.go), it
// heartbeats (heartbeat.go), and its error is translated at the edge (errors.go). So a method here reads as the work alone.
// Every activity may run twice, at the same time, on two hosts.
package activities
