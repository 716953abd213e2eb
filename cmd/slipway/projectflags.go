package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/slipway-dev/slipway/api/client"
)

// projectFlags are the flags of `projects create` and `projects update`, one for every setting.
type projectFlags struct {
	name, repoURL, branch, healthPath           string
	healthStatus                                int
	buildTimeout, healthTimeout, releaseTimeout time.Duration
	appFlags
	resourceFlags
	buildFlags
}

func (f *projectFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.branch, "production-branch", "", "the `branch` that goes to production (default: the repository's own)")
	flags.DurationVar(&f.buildTimeout, "build-timeout", 0, "the longest `time` that a build may take (default 30m)")
	flags.DurationVar(&f.releaseTimeout, "release-timeout", 0, "the longest `time` that the release command may take (default 10m)")
	flags.StringVar(&f.healthPath, "health-path", "", "the `path` that answers once the app is up (default /)")
	flags.IntVar(&f.healthStatus, "health-status", 0, "the HTTP `status` that counts as up (default: any below 500)")
	flags.DurationVar(&f.healthTimeout, "health-timeout", 0, "the longest `time` that the app may take to come up (default 1m)")
	f.resourceFlags.register(flags)
	f.appFlags.register(flags)
	f.buildFlags.register(flags)
}

// appFlags are the flags of a project that say where its app lies and with what it is installed, built and started.
type appFlags struct {
	rootDir, builder, install, build, start, release string
	port                                             int
}

func (f *appFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.rootDir, "root-dir", "", "the app's `folder` inside the repository (default .)")
	flags.StringVar(&f.builder, "builder", "", "build with `builder`: auto, nixpacks, dockerfile, static or railpack (default auto; railpack is an experiment)")
	flags.StringVar(&f.install, "install-command", "", "install dependencies with `command` instead of the planner's")
	flags.StringVar(&f.build, "build-command", "", "build with `command` instead of the planner's")
	flags.StringVar(&f.start, "start-command", "", "start the app with `command` instead of the planner's")
	flags.StringVar(&f.release, "release-command", "", "run `command` once in the new image before the app is started (default: the Procfile's release line)")
	flags.IntVar(&f.port, "port", 0, "the `port` that the app listens on, given to it as PORT (default: the plan's)")
}

// registerIdentity adds what create takes as arguments.
func (f *projectFlags) registerIdentity(flags *pflag.FlagSet) {
	flags.StringVar(&f.name, "name", "", "rename the project to `name`")
	flags.StringVar(&f.repoURL, "repo-url", "", "fetch from `URL` from now on")
}

// given returns the settings whose flags are on the command line; the others are nil.
func (f *projectFlags) given(flags *pflag.FlagSet) (client.ProjectUpdate, error) {
	set := client.ProjectUpdate{
		Name: changed(flags, "name", f.name), RepoURL: changed(flags, "repo-url", f.repoURL),
		RootDir: changed(flags, "root-dir", f.rootDir), Builder: changed(flags, "builder", f.builder),
		InstallCommand: changed(flags, "install-command", f.install), BuildCommand: changed(flags, "build-command", f.build),
		StartCommand: changed(flags, "start-command", f.start), ReleaseCommand: changed(flags, "release-command", f.release), Port: changed(flags, "port", f.port),
		ProductionBranch: changed(flags, "production-branch", f.branch),
	}
	buildTimeout, err := seconds(flags, "build-timeout", f.buildTimeout)
	if err != nil {
		return client.ProjectUpdate{}, err
	}
	healthTimeout, err := seconds(flags, "health-timeout", f.healthTimeout)
	if err != nil {
		return client.ProjectUpdate{}, err
	}
	releaseTimeout, err := seconds(flags, "release-timeout", f.releaseTimeout)
	if err != nil {
		return client.ProjectUpdate{}, err
	}
	set.BuildTimeoutSeconds, set.ReleaseTimeoutSeconds = buildTimeout, releaseTimeout
	health := client.HealthCheckInput{
		Path: changed(flags, "health-path", f.healthPath), Status: changed(flags, "health-status", f.healthStatus),
		TimeoutSeconds: healthTimeout,
	}
	if health != (client.HealthCheckInput{}) {
		set.HealthCheck = &health
	}
	if err := f.resourceFlags.give(flags, &set); err != nil {
		return client.ProjectUpdate{}, err
	}
	return set, f.buildFlags.give(flags, &set)
}

func changed[T any](flags *pflag.FlagSet, name string, value T) *T {
	if !flags.Changed(name) {
		return nil
	}
	return &value
}

// seconds reads a duration that the API takes in whole seconds.
func seconds(flags *pflag.FlagSet, name string, d time.Duration) (*int, error) {
	if d%time.Second != 0 {
		return nil, &shownError{message: fmt.Sprintf("--%s %s is not in whole seconds", name, d), exit: exitUsage}
	}
	return changed(flags, name, int(d/time.Second)), nil
}
