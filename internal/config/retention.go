package config

// Retention says how much is kept of what has been.
type Retention struct {
	Images int // per environment, the newest that were live
}

func (r *Retention) keys() []key {
	return []key{
		{
			env: "SLIPWAY_KEEP_IMAGES", path: "retention.images", initial: "5", value: number(&r.Images, 1, 1000),
			doc: "Images that are kept per environment: those that were live last, for a rollback. Older ones are deleted from the registry, unless a live preview or a deployment under way needs them.",
		},
	}
}
