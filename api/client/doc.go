// Package client is the Go client of slipway's API, generated from api/openapi.yaml: a function per operation, with the
// answers decoded. The slipway command and the end-to-end tests are its users.
//
//	c, err := client.NewClientWithResponses(url, client.WithRequestEditorFn(addToken))
//	answer, err := c.GetDeploymentWithResponse(ctx, id)
//
// GetLogs (without WithResponse) is the one to follow a log with: its body is the event stream.
package client
