package config

// Retention says how much is kept of what has been.
type Retention struct {
	Images int // per environment, the newest that were live
	LogMB  int // of one deployment's log
}

func (r *Retention) keys() []key {
	return []key{
		{
			env: "SLIPWAY_KEEP_IMAGES", path: "retention.images", initial: "5", value: number(&r.Images, 1, 1000),
			doc: "Images that are kept per environment: those that were live last, for a rollback. Older ones are deleted from the registry, unless a live preview or a deployment under way needs them.",
		},
		{
			env: "SLIPWAY_LOG_MAX_MB", path: "retention.log_max_mb", initial: "50", value: number(&r.LogMB, 1, 1<<20),
			doc: "How long one deployment's log may become, the output of its live app included, in MiB; a line counts as its text and 100 bytes. The first half stays, what follows is kept newest first, and a line where the others were says how many they were. A change holds for what is written from then on.",
		},
	}
}
