package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shirou/gopsutil/v4/disk"

	"github.com/slipway-dev/slipway/internal/docker"
)

// Free space below which builds soon fail, and below which they do.
const (
	lowBytes   = 10 << 30
	emptyBytes = 1 << 30
)

func disks(ctx context.Context, m Machine) []Finding {
	folders := [][2]string{{"data directory (with slipway-dev's BuildKit)", m.Config.DataDir}}
	if facts, err := docker.Look(ctx, m.Config.Docker.Host); err == nil && facts.Local {
		folders = append(folders, [2]string{"Docker", facts.RootDir})
	}
	var found []Finding
	for _, f := range folders {
		found = append(found, space(ctx, f[0], f[1]))
	}
	return found
}

// space looks at the file system that a folder lies in, or will lie in.
func space(ctx context.Context, what, folder string) Finding {
	there := folder
	for {
		if _, err := os.Stat(there); !errors.Is(err, fs.ErrNotExist) || there == "/" {
			break
		}
		there = filepath.Dir(there)
	}
	usage, err := disk.UsageWithContext(ctx, there)
	if err != nil {
		return warning("see that this user may enter it", "%s: %v", what, err)
	}
	const fix = "free space there (`docker system df` shows Docker's part), or move the folder to a larger disk"
	free := float64(usage.Free) / (1 << 30)
	switch {
	case usage.Free < emptyBytes:
		return failed(fix, "%s: %.1f GiB free in %s", what, free, folder)
	case usage.Free < lowBytes:
		return warning(fix, "%s: %.1f GiB free in %s", what, free, folder)
	case usage.InodesTotal > 0 && usage.InodesFree*100 < usage.InodesTotal*2:
		return failed("remove what has many small files there", "%s: %d of %d inodes free in %s", what, usage.InodesFree, usage.InodesTotal, folder)
	}
	return ok("%s: %.0f GiB free in %s", what, free, folder)
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
