package deployment

import "time"

// Visit is a request to a preview that was answered.
type Visit struct {
	Project     string // empty, with Environment, for a host name that nobody has
	Environment string
	Status      int           // of the answer; 499 when the visitor left before there was one
	Took        time.Duration // until the last byte
	Stream      bool          // it lasts as long as the visitor likes: a WebSocket, server-sent events
	Received    int64         // bytes of bodies, and of what followed an upgrade
	Sent        int64
}

// Place is an environment by its names.
type Place struct{ Project, Environment string }
