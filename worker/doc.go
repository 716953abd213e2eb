// Package worker says which queue runs what, with how many slots, and keeps the one list of workflows and activities
// that the running workers and the replay test share.
package worker
