package planner

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// nodeDependencies looks for packages whose own install scripts read the project that they are installed into.
func (r *installReads) nodeDependencies(root installManifest) {
	if r.reason != "" {
		return
	}
	text := r.nodeTexts()
	switch {
	case root.MSW != nil:
		r.everything("msw copies a file into the folder that package.json names")
	case bytes.Contains(text, []byte("@sveltejs/kit")):
		r.everything("@sveltejs/kit reads svelte.config.js when it is installed")
	case bytes.Contains(text, []byte("puppeteer")):
		for _, pattern := range []string{".puppeteerrc*", ".config/puppeteerrc*", "puppeteer.config.*"} {
			if found, err := fs.Glob(r.src.FS(), pattern); err != nil || len(found) > 0 {
				r.everything("puppeteer reads a configuration of the project when it is installed")
			}
		}
	}
	if prismaPackage.Match(text) {
		r.prisma(root)
	}
}

var prismaPackage = regexp.MustCompile(`["'/]@?prisma(/client)?["'@:]`)

// nodeTexts returns the manifests and lock files as one text: a package may come with another. A lock file of bun's older
// kind holds the names too.
func (r *installReads) nodeTexts() []byte {
	var all []byte
	for _, name := range r.files {
		switch path.Base(name) {
		case "package.json", "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bun.lockb", "bun.lock":
			data, err := r.readLong(name)
			if err != nil {
				r.everything("%s cannot be read", name)
			}
			all = append(all, data...)
		}
	}
	return all
}

// readLong reads a lock file, which may be longer than a manifest.
func (r *installReads) readLong(name string) ([]byte, error) {
	f, err := r.src.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCopied+1))
	if err == nil && len(data) > maxCopied {
		err = fmt.Errorf("%s: larger than %d bytes", name, maxCopied)
	}
	return data, err
}

var (
	prismaGenerator = regexp.MustCompile(`(?s)\bgenerator\s+\w+\s*\{(.*?)\}`)
	prismaClient    = regexp.MustCompile(`(?m)^\s*provider\s*=\s*"prisma-client(-js)?"\s*$`)
)

// prisma takes the folder of the schema from which prisma's packages make the client when they are installed.
func (r *installReads) prisma(root installManifest) {
	const schema = "prisma/schema.prisma"
	configs, err := fs.Glob(r.src.FS(), "prisma.config.*")
	if err != nil || len(configs) > 0 || root.Prisma != nil || root.Workspaces != nil || r.there("pnpm-workspace.yaml") || r.there(".config") ||
		!r.src.exists(schema) || r.hides(schema) {
		r.everything("prisma makes a client from its schema when it is installed, and that is not known to be %s alone", schema)
		return
	}
	for _, generator := range prismaGenerator.FindAllSubmatch(r.read(schema), -1) {
		if !prismaClient.Match(generator[1]) || strings.Contains(string(generator[1]), "output") {
			r.everything("a generator in %s is not prisma's own, or writes into the project", schema)
		}
	}
	r.addFolder("prisma")
}
