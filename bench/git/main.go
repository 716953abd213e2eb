// Command git compares how slipway fetches a large repository with `git clone --depth 1`, in time and in memory: a repository
// of 50,000 files with about 1 GB of history, served by git over HTTP on this machine, five rounds by turns. Slipway fetches it
// without a mirror, and once more with one that has all but the last commit.
//
//	make bench-git
//	go run ./bench/git -rounds 9 -dir /var/tmp/bench
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/gitserve"
	"github.com/slipway-dev/slipway/internal/source"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := compare
	if len(os.Args) > 1 && os.Args[1] == "fetch" {
		run = fetch
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// fetch is the measured process: one fetch and nothing else, with a mirror when a folder is named for one.
func fetch(ctx context.Context) error {
	origin, commit, dir := os.Args[2], os.Args[3], os.Args[4]
	client, err := source.New(source.Options{TrustedOrigins: []string{origin}, MaxBytes: 4 << 30})
	if err != nil {
		return err
	}
	repo := deployment.Repository{URL: origin + "/large.git"}
	if len(os.Args) > 5 {
		client, repo.ProjectID = client.WithMirrors(source.NewMirrors(os.Args[5], 4<<30)), "bench"
	}
	return client.Fetch(ctx, repo, commit, deployment.Ref{Kind: deployment.RefBranch, Name: gitserve.DefaultBranch}, dir, func(line string) { fmt.Fprintln(os.Stderr, line) })
}

type figures struct {
	seconds []float64
	cpu     []float64 // seconds
	bytes   []float64
}

func compare(ctx context.Context) error {
	rounds := flag.Int("rounds", 5, "how often each is run")
	dir := flag.String("dir", filepath.Join(os.TempDir(), "slipway-bench-git"), "where the repository is made and kept, and checkouts are written: 8 GB")
	flag.Parse()
	fmt.Fprintln(os.Stdout, "making the repository, unless an earlier run did")
	path, err := prepare(ctx, *dir)
	if err != nil {
		return err
	}
	repo := &gitserve.Repository{Dir: path}
	commit, err := repo.Git(ctx, nil, nil, "rev-parse", gitserve.DefaultBranch)
	if err != nil {
		return err
	}
	before, err := repo.Git(ctx, nil, nil, "rev-parse", gitserve.DefaultBranch+"~1")
	if err != nil {
		return err
	}
	if _, err := repo.Git(ctx, nil, nil, "update-ref", "refs/heads/before", before); err != nil {
		return err
	}
	origin, err := serve(*dir)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ways := []struct {
		name    string
		prepare func(dir string) []string
		args    func(dir string) []string
		figures
	}{
		{name: "git clone --depth 1", args: func(dir string) []string {
			return []string{"git", "clone", "--quiet", "--depth", "1", origin + "/large.git", dir}
		}},
		{name: "slipway", args: func(dir string) []string { return []string{self, "fetch", origin, commit, dir} }},
		{
			name: "slipway, mirror",
			prepare: func(dir string) []string {
				return []string{self, "fetch", origin, before, dir + "-before", dir + "-mirror"}
			},
			args: func(dir string) []string { return []string{self, "fetch", origin, commit, dir, dir + "-mirror"} },
		},
	}
	// All stay until the end: ext4 takes several times as long to make files while those of the last round are just gone.
	checkouts, err := os.MkdirTemp(*dir, "checkouts-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(checkouts)
	for round := range *rounds {
		for i := range ways {
			checkout := filepath.Join(checkouts, fmt.Sprintf("%d-%d", round, i))
			if ways[i].prepare != nil {
				if _, _, _, err := measure(ctx, ways[i].prepare(checkout)); err != nil {
					return err
				}
			}
			seconds, cpu, peak, err := measure(ctx, ways[i].args(checkout))
			if err != nil {
				return fmt.Errorf("%s: %w", ways[i].name, err)
			}
			ways[i].seconds, ways[i].cpu, ways[i].bytes = append(ways[i].seconds, seconds), append(ways[i].cpu, cpu), append(ways[i].bytes, peak)
			fmt.Fprintf(os.Stdout, "round %d: %-20s %6.2f s, %6.2f s of CPU, %4.0f MB\n", round+1, ways[i].name, seconds, cpu, peak/1e6)
		}
	}
	for _, way := range ways {
		fmt.Fprintf(os.Stdout, "%-20s median %6.2f s (%.2f to %.2f), %.2f s of CPU, %4.0f MB; ÷ git: %.2f in time, %.2f in CPU, %.2f in memory\n", way.name,
			median(way.seconds), slices.Min(way.seconds), slices.Max(way.seconds), median(way.cpu), median(way.bytes)/1e6,
			median(way.seconds)/median(ways[0].seconds), median(way.cpu)/median(ways[0].cpu), median(way.bytes)/median(ways[0].bytes))
	}
	return nil
}

func measure(ctx context.Context, argv []string) (seconds, cpu, peak float64, err error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, 0, err
	}
	most := watch(cmd.Process.Pid)
	err = cmd.Wait()
	seconds = time.Since(begun).Seconds()
	return seconds, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), float64(most()), err
}

func serve(root string) (origin string, err error) {
	handler, err := gitserve.Handler(gitserve.Options{Root: root, Log: os.Stderr})
	if err != nil {
		return "", err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() { _ = http.Serve(listener, handler) }() //nolint:gosec // until the program ends, for its own children
	return "http://" + listener.Addr().String(), nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
