// Package logs keeps the logs of deployments in Postgres. Writer appends lines from any number of processes: batched,
// bounded, redacted, numbered without gaps in the order of their commits. Reader pages through them by number and wakes
// who follows. Neither loses or doubles a line when a process or a connection dies: what a writer could not store it
// keeps, up to a bound, and says how much it had to drop.
package logs
