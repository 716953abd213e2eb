package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/internal/registry"
)

// packing is a way to store the layers of an image.
type packing struct {
	name, attrs string // attrs as buildctl takes them
	refused     bool   // by the Docker engine
	bytes       int64
	shares      map[string][]float64 // seconds by part
}

// The parts of what a way to store layers costs, in their order: compressed, pushed, pulled and unpacked.
var packingParts = []string{"exporting", "pushing", "pull", "all"}

func packings() []*packing {
	list := []*packing{
		{name: "gzip 1", attrs: "compression=gzip,compression-level=1"},
		{name: "gzip 6", attrs: "compression=gzip,compression-level=6"},
		{name: "zstd 3", attrs: "compression=zstd,compression-level=3"},
		{name: "uncompressed", attrs: "compression=uncompressed"},
	}
	for _, p := range list {
		p.shares = map[string][]float64{}
	}
	return list
}

// compression measures what layers cost from the builder to the Docker engine, by how they are compressed. What is stored is the
// folder of the node example as it is built: packages, their files and the result, in one layer above the base image that the engine
// has already. Each round makes it anew, since BuildKit keeps what it has compressed.
func (b *bench) compression(ctx context.Context) error {
	base, made := b.config.Registry.Addr+"/slipway/base:bookworm", b.config.Registry.Addr+"/bench-compression:made"
	if _, err := b.run(ctx, filepath.Join(filepath.Dir(b.dev.Binary), "slipway"), "build", "examples/node", "--push", made,
		"--buildkit", b.config.OwnBuildKit(), "--nixpacks", b.config.Planner.Nixpacks, "--overrides", b.config.Planner.Overrides); err != nil {
		return err
	}
	if _, err := b.run(ctx, "docker", "pull", "--quiet", base); err != nil {
		return err
	}
	ways := packings()
	for round := 0; b.more(round); round++ {
		for turn := range ways {
			way := ways[(turn+round)%len(ways)]
			if err := b.pack(ctx, way, made, round); err != nil {
				return fmt.Errorf("%s: %w", way.name, err)
			}
		}
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return err
	}
	b.measures["compression"] = packingTable(ways) + fmt.Sprintf("\nThe machine's load at the end: %s.\n", strings.Join(strings.Fields(string(load))[:3], ", "))
	_, err = b.run(ctx, "docker", "rmi", base)
	return err
}

// pack makes the layer once more, pushes it in one way and has the engine pull it.
func (b *bench) pack(ctx context.Context, way *packing, made string, round int) error {
	image := fmt.Sprintf("%s/bench-compression:%d-%s", b.config.Registry.Addr, round, strings.ReplaceAll(way.name, " ", "-"))
	dir := filepath.Join(b.sources(), "compression")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	dockerfile := fmt.Sprintf("FROM %s AS made\nFROM slipway/base:bookworm\nRUN --mount=type=bind,from=made,source=/app,target=/made cp -a /made /app && echo %s > /app/round\n", made, image)
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
		return err
	}
	log, err := b.run(ctx, b.buildctl, "--addr", b.config.OwnBuildKit(), "build", "--progress", "plain", "--frontend", "dockerfile.v0",
		"--local", "context="+dir, "--local", "dockerfile="+dir, "--output", "type=image,push=true,oci-mediatypes=true,name="+image+","+way.attrs)
	if err != nil {
		return err
	}
	parts, err := exports([]byte(log))
	if err != nil {
		return err
	}
	layers, err := registry.Client{Host: b.config.Registry.Addr, Insecure: true}.Layers(ctx, image)
	if err != nil {
		return err
	}
	way.bytes = layers[len(layers)-1].Bytes
	begun := time.Now()
	if _, err := b.run(ctx, "docker", "pull", "--quiet", image); err != nil {
		way.refused = true
	} else {
		parts = append(parts, phase{"pull", time.Since(begun)})
		if _, err := b.run(ctx, "docker", "rmi", image); err != nil {
			return err
		}
	}
	b.logf("  %-12s %s", way.name, breakdown([]sample{{took: total(parts), phases: parts}}))
	for _, p := range append(parts, phase{"all", total(parts)}) {
		way.shares[p.name] = append(way.shares[p.name], p.took.Seconds())
	}
	// It would fill the disk in many rounds; the layers below it stay.
	_, err = b.run(ctx, b.buildctl, "--addr", b.config.OwnBuildKit(), "prune", "--filter", `description~="cp -a /made"`)
	return err
}

// packingTable shows the medians of each way, and what it takes of what the first one took in the same round.
func packingTable(ways []*packing) string {
	var text strings.Builder
	text.WriteString("| | rounds | size, MB | compressed, s | pushed, s | pulled and unpacked, s | together, s | ÷ gzip 1 |\n|---|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, way := range ways {
		cells := []string{way.name, strconv.Itoa(len(way.shares["all"])), fmt.Sprintf("%.1f", float64(way.bytes)/1e6)}
		for _, part := range packingParts {
			cells = append(cells, spreadOf(way.shares[part]).seconds())
		}
		cells = append(cells, spreadOf(quotients(way.shares["all"], ways[0].shares["all"])).ratio())
		if way.refused {
			cells = slices.Concat(cells[:5], []string{"refused by the engine", "–", "–"})
		}
		text.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	return text.String()
}

func quotients(values, by []float64) []float64 {
	all := make([]float64, min(len(values), len(by)))
	for i := range all {
		all[i] = values[i] / by[i]
	}
	return all
}
