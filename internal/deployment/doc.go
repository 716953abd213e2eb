// Package deployment holds slipway's words: Project, Environment, Deployment, Plan, Build, Preview, Step and Failure,
// with the rules that belong to them alone (which status may follow which, what a host name looks like, what a valid
// project is). Every other package speaks in these words; this one imports the standard library only, so that nothing
// here can depend on how a word is stored, sent or executed.
package deployment
