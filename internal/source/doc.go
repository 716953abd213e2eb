// Package source speaks git with other people's servers: Client resolves a ref to a commit, checks that commit out into a
// folder, and tells whether a repository's URL may be used at all.
//
// It is built from go-git's parts (transport, objects) and not from its Repository and Remote, for four
// reasons. Those find their transport in a registry that is global to the process, so two Clients with different guards
// could not live side by side. Their checkout cannot be canceled, has no limits, and obeys the host's git configuration
// (line endings). They keep a .git folder, which must not reach a build context. And they ask for a commit by its id only
// when the server promises to hand out any, while every server hands out the tips of its refs.
//
// Every connection, redirects included, passes the guard (guard.go): the name is resolved once, all its addresses are
// checked, and exactly a checked address is dialed. There is no way around it through an HTTP proxy: proxy variables of
// the environment are not read. A credential goes to its own origin and nowhere else (trip.go), host keys are in hostkeys.go;
// submodules.go and lfs.go complete a checkout.
// Packs are read while they arrive (scan.go, pack.go) and hold the objects of a checkout (objects.go); mirror.go keeps them, so that
// the next fetch of the same project moves only what is new. Transport failures become deployment.Failure in failures.go, in one place.
package source
