// Package testbed is what tests that run real programs share: where the programs and what is slow to make are found, and
// how a program ends with the test binary that started it.
package testbed
