// Package registry is slipway's image registry and the way to talk to any: Server serves the OCI distribution API from
// one directory (distribution as a library), so that a machine needs no registry of its own to build and run previews, and frees what no
// tag leads to while it is used;
// Client looks into a registry, imports images into it and deletes them; Seed fills one with the base images that
// deploy/images makes, for installations that reach no public registry.
package registry
