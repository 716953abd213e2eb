package greeting

// Text is what the app says.
func Text() string { return "built without a go.mod" }
