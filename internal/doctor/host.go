package doctor

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/internal/disk"
	"github.com/slipway-dev/slipway/internal/docker"
)

// Free space below which builds soon fail, and below which they do.
const (
	lowBytes   = 10 << 30
	emptyBytes = 1 << 30
)

func disks(ctx context.Context, m Machine) []Finding {
	least := uint64(m.Config.Worker.MinFreeDisk)
	found := []Finding{space("data directory (with slipway-dev's BuildKit)", m.Config.DataDir, least)}
	for _, folder := range append([]string{m.Config.Worker.WorkspaceDir}, m.Config.Worker.DiskDirs...) {
		found = append(found, space("builds", folder, least))
	}
	if facts, err := docker.Look(ctx, m.Config.Docker.Host); err == nil && facts.Local {
		found = append(found, space("Docker", facts.RootDir, 0))
	}
	return found
}

// space looks at the file system that a folder lies in, or will lie in. Below least this host begins no build.
func space(what, folder string, least uint64) Finding {
	usage, err := disk.Look(folder)
	if err != nil {
		return warning("see that this user may enter it", "%s: %v", what, err)
	}
	const fix = "free space there (`docker system df` shows Docker's part), or move the folder to a larger disk"
	free := disk.Size(usage.Free)
	switch {
	case usage.Free < least:
		return failed(fix+"; SLIPWAY_MIN_FREE_DISK says how much has to be free", "%s: %s free in %s, and no build begins below %s", what, free, folder, disk.Size(least))
	case usage.Free < emptyBytes:
		return failed(fix, "%s: %s free in %s", what, free, folder)
	case usage.Free < lowBytes:
		return warning(fix, "%s: %s free in %s", what, free, folder)
	case usage.Inodes > 0 && usage.InodesFree*100 < usage.Inodes*2:
		return failed("remove what has many small files there", "%s: %d of %d inodes free in %s", what, usage.InodesFree, usage.Inodes, folder)
	}
	return ok("%s: %s free in %s", what, free, folder)
}

// wantedControllers bound what builds and previews use.
var wantedControllers = []string{"cpu", "memory", "pids"}

func cgroups(_ context.Context, m Machine) Finding {
	top := filepath.Join(m.Root, "/sys/fs/cgroup")
	if text, err := os.ReadFile(filepath.Join(top, "cgroup.controllers")); err == nil {
		return cgroupV2(m, strings.Fields(string(text)))
	}
	var missing []string
	for _, c := range wantedControllers {
		if _, err := os.Stat(filepath.Join(top, c)); err != nil {
			missing = append(missing, c)
		}
	}
	if len(missing) > 0 {
		return failed("mount cgroup v2 at /sys/fs/cgroup, as systemd does since version 247", "no %s controller below /sys/fs/cgroup", strings.Join(missing, ", "))
	}
	return warning("boot with systemd.unified_cgroup_hierarchy=1 for version 2: distributions and Docker are leaving version 1",
		"version 1 with %s", strings.Join(wantedControllers, ", "))
}

// cgroupV2 compares what the kernel has with what is handed down to this process's group: limits can be set of the latter only.
func cgroupV2(m Machine, kernel []string) Finding {
	delegated := kernel
	if text, err := os.ReadFile(filepath.Join(m.Root, "/proc/self/cgroup")); err == nil {
		_, own, _ := strings.Cut(strings.TrimSpace(string(text)), "0::")
		if text, err := os.ReadFile(filepath.Join(m.Root, "/sys/fs/cgroup", own, "cgroup.controllers")); err == nil {
			delegated = strings.Fields(string(text))
		}
	}
	for _, c := range wantedControllers {
		if !slices.Contains(kernel, c) {
			return failed("build or boot the kernel with it (cgroup_enable="+c+")", "version 2, and the kernel has no %s controller", c)
		}
		if !slices.Contains(delegated, c) {
			return warning("set Delegate=yes in the systemd unit, or start slipway from a group that has it",
				"version 2, and the %s controller is not handed down to this group", c)
		}
	}
	return ok("version 2 with %s", strings.Join(wantedControllers, ", "))
}
