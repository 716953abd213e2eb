// Package devservertest gives tests a real Temporal server. The server is the program slipway-temporal in a process of its
// own, so that a test binary built with the race detector does not compile the server; it dies with the test binary.
//
// A test binary shares one server: its TestMain calls Main, its tests call Client for a namespace of their own. Tests that
// kill the server start their own with New.
package devservertest
