package doctor

// Checks returns every check there is: first the machine, then what runs on it, then what it reaches.
func Checks() []Check {
	return []Check{
		{"slipway-dev", "whether slipway-dev runs with the data directory", one(runs)},
		{"ports", "whether the configured addresses are free, and who has them", ports},
		{"disk", "free space of the data directory, of builds and of Docker", disks},
		{"cgroup", "the cgroup version and its controllers: limits of builds and previews", one(cgroups)},
		{"docker", "the Docker engine: reachable, 20.10 or newer, able to limit previews", one(dockerEngine)},
		{"runc", "runc, which slipway-dev's own buildkitd runs steps with", one(runc)},
		{"cni", "the CNI plugins of slipway-dev's own buildkitd", one(cniPlugins)},
		{"buildkit", "buildkitd, each of several: reachable, or there to be started", builders},
		{"nixpacks", "the nixpacks CLI and its version", one(nixpacks)},
		{"postgres", "Postgres: reachable and new enough, or there to be started", one(database)},
		{"temporal", "Temporal's frontend and namespace", one(temporalServer)},
		{"registry", "the image registry, as the worker and as the Docker engine reach it", registries},
		{"tls", "certificates of previews: the operator's own, the CA that issues others, and those that should have been renewed", previewTLS},
		{"git", "the git program", one(gitProgram)},
		{"network", "names of the internet, and public image registries", one(network)},
		{"api", "slipway's API: reachable, the token valid, clocks together", apiServer},
	}
}

// Names returns the names of all checks.
func Names() []string {
	var names []string
	for _, c := range Checks() {
		names = append(names, c.Name)
	}
	return names
}
