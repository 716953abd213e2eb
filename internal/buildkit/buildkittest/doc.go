// Package buildkittest runs a real buildkitd and slipway's own registry for tests, with Debian's base image in it. State
// is kept between runs, so that warm ones take seconds; each test binary gets a place of its own, with a bridge and a
// subnet of its own, so that several run beside each other and beside a live slipway.
package buildkittest
