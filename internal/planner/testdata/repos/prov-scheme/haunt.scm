(use-modules (haunt site))
