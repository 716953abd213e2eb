// Package temporal holds everything that crosses the Temporal wire: names of workflows and queues, workflow ids, the
// inputs and results of workflows and activities, search attributes, and the functions that start and cancel a deploy.
// The API and the worker meet here and nowhere else, so that neither imports the other.
//
// The SDK's package of the same name is imported as sdktemporal everywhere (importas keeps it).
package temporal
