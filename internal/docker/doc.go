// Package docker runs previews on a Docker engine: it pulls an image by digest, gives each deployment a network and one
// hardened container, waits until the app in it answers, and takes both away again.
//
// Everything it makes carries the labels of one installation, and it touches nothing else: several installations may
// share an engine. No port is published. The gateway and the probe reach a container at its fixed address on its own
// bridge network, so slipway runs on the engine's host or has a route to its networks.
//
// Errors that a reader can act on are of type *deployment.Failure. This is the only package that imports
// github.com/docker/docker, which is frozen upstream; a move to its successor stays within this folder.
package docker
