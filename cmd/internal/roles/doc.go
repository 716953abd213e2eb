// Package roles builds slipway's processes from their configuration: the API, the worker, the gateway. It is where the
// adapters are constructed and handed to those who declared an interface for them; slipway-dev runs all roles in one
// process, `slipway api|worker|gateway` each in its own.
package roles
