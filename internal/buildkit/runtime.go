package buildkit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// StepLimits bound each RUN step; 0 is no bound. Steps that run at the same time, of one build or of several, have them each.
type StepLimits struct {
	CPUs      float64
	Memory    int64 // bytes; what is beyond is not swapped
	Processes int   // threads count as processes
}

// cpuPeriod is how often the kernel counts what a step had of its CPUs, in microseconds.
const cpuPeriod = 100_000

// RuntimeFile is where WriteFiles writes the program that runs a step.
func (c DaemonConfig) RuntimeFile() string { return filepath.Join(c.Root, "step-runtime.sh") }

// WriteFiles makes the folder of the daemon's state and writes there what Command needs.
func (c DaemonConfig) WriteFiles() error {
	if err := os.MkdirAll(c.Root, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(c.RuntimeFile(), []byte(c.Limits.Runtime()), 0o700); err != nil {
		return err
	}
	return os.WriteFile(c.ConfigFile(), []byte(c.TOML()), 0o600)
}

// Runtime returns the program that the daemon runs a step with: runc, once the limits stand in the step's configuration.
// BuildKit's own attributes for memory and CPU are those of its Dockerfile frontend, so that another frontend or an SBOM scanner would
// have none, and it has no attribute for processes. What a Dockerfile says cannot be taken for the place that is changed: quotes in
// it are escaped there. A configuration that has no such place is not run.
func (l StepLimits) Runtime() string {
	var resources []string
	if l.CPUs > 0 {
		resources = append(resources, fmt.Sprintf(`"cpu":{"quota":%d,"period":%d}`, int64(l.CPUs*cpuPeriod), cpuPeriod))
	}
	if l.Memory > 0 {
		resources = append(resources, fmt.Sprintf(`"memory":{"limit":%d,"swap":%d}`, l.Memory, l.Memory))
	}
	if l.Processes > 0 {
		resources = append(resources, fmt.Sprintf(`"pids":{"limit":%d}`, l.Processes))
	}
	return strings.ReplaceAll(runtimeScript, "@LIMITS@", strings.Join(resources, ","))
}

const runtimeScript = `#!/bin/sh
# Runs a build step: runc, with bounds of what the step may take (resources of the OCI runtime specification).
set -eu
limits='@LIMITS@'

bundle='' word=''
for argument; do
	[ "$word" != --bundle ] || bundle=$argument
	word=$argument
done
if [ -n "$bundle" ] && [ -n "$limits" ]; then
	sed -i "s/\"resources\":{\"devices\":/\"resources\":{$limits,\"devices\":/" "$bundle/config.json"
	grep -qF "\"resources\":{$limits," "$bundle/config.json" || {
		echo "step-runtime: no place for limits in $bundle/config.json" >&2
		exit 1
	}
fi
exec "$(command -v buildkit-runc || command -v runc)" "$@"
`
