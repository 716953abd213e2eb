// Package doctor looks at a machine and says what would keep slipway from working there, each with its fix. It only looks: no
// check changes, starts or stops anything. A check is a function in a file of its own subject; checks.go lists them.
package doctor
