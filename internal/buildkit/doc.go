// Package buildkit builds images: Builder solves a Dockerfile on a buildkitd and pushes the result, tells what happens
// line by line, says whose fault a failure is, and finds the digest of a build that another process had started.
// DaemonConfig is the configuration of a buildkitd that slipway starts itself.
package buildkit
