package activities

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// Workspaces are the checkouts on a build host, one folder per deployment. A checkout appears under its commit by a
// rename and counts only with the marker that names the commit, so that what a killed fetch left is never built.
type Workspaces struct {
	Root string // absolute
}

const markerSuffix = ".complete"

// Open returns the checkout of a commit, or an error that means "fetch it again" when it is not there whole.
func (w Workspaces) Open(deploymentID, commit string) (string, error) {
	marker, err := os.ReadFile(w.marker(deploymentID, commit))
	if err != nil || strings.TrimSpace(string(marker)) != commit {
		return "", fmt.Errorf("checkout of %s: %w", commit, errWorkspaceGone)
	}
	checkout := w.checkout(deploymentID, commit)
	if info, err := os.Stat(checkout); err != nil || !info.IsDir() {
		return "", fmt.Errorf("checkout of %s: %w", commit, errWorkspaceGone)
	}
	return checkout, nil
}

// Prepare returns an empty folder to fetch into; only Publish makes it the checkout.
func (w Workspaces) Prepare(deploymentID string) (string, error) {
	if err := os.MkdirAll(w.folder(deploymentID), 0o700); err != nil {
		return "", workspaceFailure("make workspace", err)
	}
	dir, err := os.MkdirTemp(w.folder(deploymentID), "fetch-")
	if err != nil {
		return "", workspaceFailure("make workspace", err)
	}
	return dir, nil
}

// Publish makes a fetched folder the checkout of commit. When another attempt was faster, its checkout stays.
func (w Workspaces) Publish(deploymentID, commit, fetched string) error {
	if _, err := w.Open(deploymentID, commit); err == nil {
		return os.RemoveAll(fetched)
	}
	target := w.checkout(deploymentID, commit)
	if err := os.Rename(fetched, target); err != nil && !errors.Is(err, fs.ErrExist) {
		return workspaceFailure("publish checkout", err)
	}
	if err := os.WriteFile(w.marker(deploymentID, commit), []byte(commit+"\n"), 0o600); err != nil {
		return workspaceFailure("mark checkout", err)
	}
	return nil
}

// Remove removes everything of a deployment and looks that it is gone; what is not there is no error. The markers go first:
// what a killed Remove leaves is no checkout.
func (w Workspaces) Remove(deploymentID string) error {
	markers, err := filepath.Glob(filepath.Join(w.folder(deploymentID), "*"+markerSuffix))
	if err != nil {
		return workspaceFailure("remove workspace", err)
	}
	for _, marker := range markers {
		if err := os.Remove(marker); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return workspaceFailure("remove workspace", err)
		}
	}
	if err := os.RemoveAll(w.folder(deploymentID)); err != nil {
		return workspaceFailure("remove workspace", err)
	}
	if _, err := os.Lstat(w.folder(deploymentID)); !errors.Is(err, fs.ErrNotExist) {
		return stillThere("workspace " + deploymentID)
	}
	return nil
}

// List returns the ids of the deployments that have anything here.
func (w Workspaces) List() ([]string, error) {
	held, err := w.Held("")
	ids := make([]string, len(held))
	for i, r := range held {
		ids[i] = r.Name
	}
	return ids, err
}

// Held lists the workspaces in the words of the ledger, as a host's. What is not named like one was not made by slipway.
func (w Workspaces) Held(host string) ([]deployment.Resource, error) {
	entries, err := os.ReadDir(w.Root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, workspaceFailure("list workspaces", err)
	}
	var held []deployment.Resource
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || uuid.Validate(entry.Name()) != nil { // an error: it is being removed
			continue
		}
		held = append(held, deployment.Resource{
			Kind: deployment.ResourceWorkspace, Name: entry.Name(), Host: host, DeploymentID: entry.Name(), Made: info.ModTime(),
		})
	}
	return held, nil
}

func (w Workspaces) folder(deploymentID string) string {
	return filepath.Join(w.Root, filepath.Base(deploymentID))
}

func (w Workspaces) checkout(deploymentID, commit string) string {
	return filepath.Join(w.folder(deploymentID), filepath.Base(commit))
}

func (w Workspaces) marker(deploymentID, commit string) string {
	return w.checkout(deploymentID, commit) + markerSuffix
}

func workspaceFailure(what string, err error) error {
	return deployment.PlatformFailure("workspace.unusable", "check the data directory's disk and permissions", "%s: %w", what, err)
}
