package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// baseImage is what deploy/images/build.sh writes beside each layer.
type baseImage struct {
	Name  string `json:"name"`
	Layer string `json:"layer"` // file name in the same folder
	RootFS
}

// Seed imports the base images that deploy/images/build.sh left in dir and returns their names. Images that the registry
// has already cost one request each. A folder that is missing or empty seeds nothing.
func Seed(ctx context.Context, c Client, dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json")) // sorted
	if err != nil {
		return nil, fmt.Errorf("list base images: %w", err)
	}
	var names []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return names, fmt.Errorf("read base image: %w", err)
		}
		var base baseImage
		if err := json.Unmarshal(data, &base); err != nil {
			return names, fmt.Errorf("read base image %s: %w", file, err)
		}
		layer := filepath.Join(dir, filepath.Base(base.Layer))
		if err := c.ImportRootFS(ctx, base.Name, layer, base.RootFS); err != nil {
			return names, fmt.Errorf("seed base image: %w", err)
		}
		names = append(names, base.Name)
	}
	return names, nil
}
