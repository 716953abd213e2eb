// Command slipway is the client of slipway's REST API, and the program that runs slipway's server roles.
//
// The client commands live one group to a file (projects.go, env.go, deploy.go, ...) over the generated client in
// api/client. What they share: cli.go (streams, terminal, clock), settings.go (which API, which token), answer.go (API
// answers to values or errors), busy.go (waiting while the API is busy), errors.go (errors as people see them, exit codes),
// output.go and table.go (table or json), reference.go (what a DEPLOYMENT argument means), stream.go and look.go (a deployment's
// log stream that survives broken connections), view.go and liveview.go (what --follow shows of it).
package main
