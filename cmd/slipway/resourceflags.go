package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/slipway-dev/slipway/api/client"
)

// resourceFlags are the flags of a project that bound its previews.
type resourceFlags struct {
	cpus                                    float64
	memoryMB, pids, diskMB, logMB, fileOpen int
	readOnly                                bool
	previews                                map[string]string
}

func (f *resourceFlags) register(flags *pflag.FlagSet) {
	flags.Float64Var(&f.cpus, "cpus", 0, "`CPUs` of a preview, e.g. 0.5 (default 0.5)")
	flags.IntVar(&f.memoryMB, "memory", 0, "memory of a preview in `MB` (default 512)")
	flags.IntVar(&f.pids, "pids", 0, "the most `processes` and threads of a preview (default 512)")
	flags.IntVar(&f.diskMB, "disk", 0, "the most `MB` that a preview may write; 0 for no bound (default 0)")
	flags.IntVar(&f.logMB, "log-size", 0, "the most `MB` of output that Docker keeps of a preview (default 30)")
	flags.IntVar(&f.fileOpen, "open-files", 0, "the most `files` that a process of a preview may have open; 0 for as many as Docker gives (default 0)")
	flags.BoolVar(&f.readOnly, "read-only-root", false, "let a preview write to /tmp alone, which is memory")
	flags.StringToStringVar(&f.previews, "preview-resources", nil,
		"what differs outside production, as `name=value,…` with the names cpus, memory_mb, pids, disk_mb, log_mb, open_files and read_only_root, e.g. cpus=0.25,memory_mb=256; 0 for as in production")
}

// give fills in what is on the command line.
func (f *resourceFlags) give(flags *pflag.FlagSet, set *client.ProjectUpdate) error {
	resources := client.ResourcesInput{
		Cpus: changed(flags, "cpus", f.cpus), MemoryMB: changed(flags, "memory", f.memoryMB), Pids: changed(flags, "pids", f.pids),
		DiskMB: changed(flags, "disk", f.diskMB), LogMB: changed(flags, "log-size", f.logMB), OpenFiles: changed(flags, "open-files", f.fileOpen),
		ReadOnlyRoot: changed(flags, "read-only-root", f.readOnly),
	}
	if resources != (client.ResourcesInput{}) {
		set.Resources = &resources
	}
	if !flags.Changed("preview-resources") {
		return nil
	}
	previews, err := resourcesFrom(f.previews)
	set.PreviewResources = &previews
	return err
}

// resourcesFrom reads name=value pairs.
func resourcesFrom(pairs map[string]string) (r client.ResourcesInput, err error) {
	whole := map[string]**int{"memory_mb": &r.MemoryMB, "pids": &r.Pids, "disk_mb": &r.DiskMB, "log_mb": &r.LogMB, "open_files": &r.OpenFiles}
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		var n int
		var cpus float64
		var yes bool
		value := pairs[name]
		switch into := whole[name]; {
		case into != nil:
			n, err = strconv.Atoi(value)
			*into = &n
		case name == "cpus":
			cpus, err = strconv.ParseFloat(value, 64)
			r.Cpus = &cpus
		case name == "read_only_root":
			yes, err = strconv.ParseBool(value)
			r.ReadOnlyRoot = &yes
		default:
			return r, &shownError{message: fmt.Sprintf("--preview-resources has no %q: use cpus, memory_mb, pids, disk_mb, log_mb, open_files or read_only_root", name), exit: exitUsage}
		}
		if err != nil {
			return r, &shownError{message: fmt.Sprintf("--preview-resources %s=%s is not a value of it: give a number, such as memory_mb=256", name, value), exit: exitUsage}
		}
	}
	return r, nil
}

// resourceWords tells bounds on one line; those that are 0 are left out.
func resourceWords(r client.Resources) string {
	words := ""
	add := func(text string) {
		if words != "" {
			words += ", "
		}
		words += text
	}
	if r.Cpus > 0 {
		add(strconv.FormatFloat(r.Cpus, 'g', -1, 64) + " CPUs")
	}
	for _, bound := range []struct {
		n    int
		unit string
	}{
		{r.MemoryMB, "MB of memory"}, {r.Pids, "processes"}, {r.DiskMB, "MB on disk"}, {r.LogMB, "MB of log"}, {r.OpenFiles, "open files"},
	} {
		if bound.n > 0 {
			add(fmt.Sprintf("%d %s", bound.n, bound.unit))
		}
	}
	if r.ReadOnlyRoot {
		add("read-only root")
	}
	return words
}
