// Package checkout reads the git checkout that somebody stands in: its remotes, its branch, and how that differs from what a
// remote has. The CLI finds the project and the branch to deploy with it. It never changes the checkout and never asks a remote.
package checkout
