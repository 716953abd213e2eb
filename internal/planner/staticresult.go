package planner

import (
	"encoding/json"
	"fmt"
	"path"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// nixpacksServer is the phase with which nixpacks serves a front end by itself.
const nixpacksServer = "caddy"

// serveResult changes a nixpacks plan to serve a folder of its result: what nixpacks would start goes, its own file server
// too, and the run image is the one that serves.
func serveResult(plan *deployment.Plan, settings deployment.StaticSettings, overrides Overrides) error {
	settings.Folder = path.Clean(settings.Folder)
	config, err := caddyfile(settings, true, true)
	if err != nil {
		return err
	}
	native, err := withoutPhases(plan.Native, nixpacksServer)
	if err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(native, &fields); err != nil {
		return fmt.Errorf("read the plan of nixpacks: %w", err)
	}
	if fields["start"], err = encodeNative(startChange{RunImage: overrides.staticImage()}); err != nil {
		return err
	}
	if plan.Native, err = encodeNative(fields); err != nil {
		return err
	}
	plan.StartCommand, plan.Static = "", &settings
	plan.Assets = map[string]string{caddyfileName: config}
	return nil
}

// renderResult writes the stage that serves a folder of what the stages before have built.
func (r *renderer) renderResult() error {
	folder := r.plan.Static.Folder
	c := &checker{}
	c.match("static.folder", folder, folderPath)
	c.local("static.folder", folder)
	c.match("start.runImage", r.native.Start.RunImage, imageName)
	if c.fault != nil {
		return c.fault
	}
	r.copySources(".", nil)
	r.line("\n# serve")
	r.WriteString(serveFolder(r.plan, r.native.Start.RunImage, "--from=build ", path.Join(r.app(), folder)))
	return nil
}
