// Package gateway answers every request to a host name of a preview: it proxies to the container while the preview is
// live, and otherwise says in a page (or a problem document, for clients that do not ask for HTML) what is going on: no
// such host, still building, failed and why, canceled, replaced, asleep.
//
// The gateway asks a Router which deployment a host name leads to. All live routes are kept in memory, used for a moment without
// asking, and for as long as the Router cannot answer: previews stay up while Postgres is away. cmd/ wires the Router, runs
// Follow, and calls Invalidate when a route has changed.
package gateway
