package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// script is the bare pipeline.
const script = "bench/bare.sh"

// bareSide deploys with the script.
type bareSide struct{ *rig }

func (r *rig) bare() string { return filepath.Join(r.root, "bare") }

func (s *bareSide) name() string { return "bare" }

func (s *bareSide) dir(a *app) string { return filepath.Join(s.rig.bare(), a.name) }

// adopt writes the settings of an app that the script reads.
func (s *bareSide) adopt(ctx context.Context, a *app) error {
	files := map[string]string{"repo": s.repo(a.name), "name": a.name, "image": s.config.Registry.Addr + "/" + a.name + ":latest"}
	if _, err := os.Stat(filepath.Join(s.folder(a.name), "Dockerfile")); err != nil {
		if files["plan.json"], files["variables"], err = s.plan(ctx, s.folder(a.name)); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(s.dir(a), 0o755); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.dir(a), name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// plan makes of the operator's overrides, which slipway gets too, what nixpacks itself merges into its plan: a phase's packages
// have to be cleared phase by phase. variables are those of the plan once merged.
func (s *bareSide) plan(ctx context.Context, folder string) (merge, variables string, err error) {
	out, err := exec.CommandContext(ctx, s.config.Planner.Nixpacks, "plan", folder, "--format", "json").Output()
	if err != nil {
		return "", "", fmt.Errorf("nixpacks plan: %w", err)
	}
	var plan struct {
		Variables map[string]string
		Phases    map[string]any
		Start     struct{ RunImage string }
	}
	if err := json.Unmarshal(out, &plan); err != nil {
		return "", "", fmt.Errorf("nixpacks plan: %w", err)
	}
	phases := map[string]any{}
	for name := range plan.Phases {
		phases[name] = map[string][]string{"nixPkgs": {}, "nixLibs": {}, "nixOverlays": {}, "aptPkgs": {}}
	}
	override := map[string]any{"buildImage": s.overrides.BuildImage, "variables": s.overrides.Variables, "phases": phases}
	if plan.Start.RunImage != "" {
		override["start"] = map[string]string{"runImage": s.overrides.RunImage}
	}
	merged, err := json.Marshal(override)
	if err != nil {
		return "", "", err
	}
	all := map[string]string{}
	maps.Copy(all, plan.Variables)
	maps.Copy(all, s.overrides.Variables)
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&lines, "%s=%s\n", name, all[name])
	}
	return string(merged), lines.String(), nil
}

// ready takes the containers of earlier deploys away: unlike slipway, the script keeps none alive while the next one starts.
func (s *bareSide) ready(ctx context.Context, apps []*app) error {
	for _, a := range apps {
		if _, err := s.run(ctx, "docker", "rm", "--force", "--volumes", a.name); err != nil && !strings.Contains(err.Error(), "No such container") {
			return err
		}
	}
	return nil
}

// deploy runs the script for each app, all at the same time.
func (s *bareSide) deploy(ctx context.Context, apps []*app) (m sample, err error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var dirs bytes.Buffer
	for _, a := range apps {
		fmt.Fprintln(&dirs, s.dir(a))
	}
	cmd := exec.CommandContext(ctx, "xargs", "-P", strconv.Itoa(len(apps)), "-n", "1", script)
	cmd.Env = append(os.Environ(), "PATH="+s.path, "BUILDKIT_HOST="+s.config.OwnBuildKit())
	cmd.Stdin = &dirs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // the scripts too, which would wait for ever
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	m.took = time.Since(begun)
	if err != nil {
		return m, fmt.Errorf("%s: %w: %s", script, err, out)
	}
	for _, a := range apps {
		if err := s.check(a); err != nil {
			return m, err
		}
		phases, err := s.phases(a)
		if err != nil {
			return m, err
		}
		if total(phases) > total(m.phases) {
			m.phases = phases
		}
	}
	return m, nil
}

func (s *bareSide) check(a *app) error {
	answer, err := os.ReadFile(filepath.Join(s.dir(a), "answer"))
	if err == nil && !bytes.Contains(answer, []byte(a.said)) {
		err = fmt.Errorf("the container %s says %q instead of %q", a.name, answer, a.said)
	}
	return err
}

func (s *bareSide) phases(a *app) ([]phase, error) {
	times, err := os.ReadFile(filepath.Join(s.dir(a), "times"))
	if err != nil {
		return nil, err
	}
	build, err := os.ReadFile(filepath.Join(s.dir(a), "build.log"))
	if err != nil {
		return nil, err
	}
	return barePhases(times, build)
}

// exported matches what BuildKit's clients, buildctl and slipway, say of the parts of a build that follow its steps.
var exported = regexp.MustCompile(`(?m)^#\d+ (exporting|pushing) layers ([0-9.]+)s(?: done)?$`)

// exports returns how long it took to make the layers of an image and to push them, as the log of a build says it.
func exports(log []byte) (parts []phase, err error) {
	for _, match := range exported.FindAllSubmatch(log, -1) {
		part, err := strconv.ParseFloat(string(match[2]), 64)
		if err != nil {
			return nil, fmt.Errorf("read the log of a build: %w", err)
		}
		parts = append(parts, phase{string(match[1]), seconds(part)})
	}
	return parts, nil
}

// barePhases reads the script's times. The build's log tells how much of the build made and pushed the layers.
func barePhases(times, build []byte) ([]phase, error) {
	var phases []phase
	var last float64
	lines := bufio.NewScanner(bytes.NewReader(times))
	for lines.Scan() {
		name, at, _ := strings.Cut(lines.Text(), " ")
		now, err := strconv.ParseFloat(at, 64)
		if err != nil {
			return nil, fmt.Errorf("read the times of %s: %w", script, err)
		}
		took := seconds(now - last)
		last = now
		switch name {
		case "begin":
		case "build":
			parts, err := exports(build)
			if err != nil {
				return nil, err
			}
			for _, part := range parts {
				took -= part.took
			}
			phases = append(append(phases, phase{"solve", took}), parts...)
		case "run":
			phases = append(phases, phase{"pull and start", took})
		default:
			phases = append(phases, phase{name, took})
		}
	}
	return phases, lines.Err()
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// forget removes an app's container; its images go with everybody's.
func (s *bareSide) forget(ctx context.Context, a *app) error { return s.ready(ctx, []*app{a}) }
