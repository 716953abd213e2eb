// Package gitserve serves bare repositories over smart HTTP, read only, with the machine's own git: slipway-dev serves the
// sample apps of examples/ with it, so that the first deploy needs no network, and the tests of internal/source meet a
// real git server. Sync turns folders into such repositories; Handler serves a folder of them.
//
// Every git process runs without the user's and the system's configuration and without hooks.
package gitserve
