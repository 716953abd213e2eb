// Package compose tests deploy/compose.yaml: what can be said of the file as it lies there (make lint runs that much), and
// that its services, started by Docker Compose itself, deploy an app. It holds tests only.
package compose
