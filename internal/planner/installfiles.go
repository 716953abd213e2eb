package planner

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// setInstallReads fills in what the plan's install phases read, so that the layers they make depend on nothing else. What
// is not certain ends in the whole source: a file too many costs time, one too few a deploy.
func setInstallReads(src *source, plan *deployment.Plan) error {
	native, err := decodeNative(plan.Native)
	if err != nil {
		return err
	}
	order, err := native.order()
	if err != nil {
		return err
	}
	r := &installReads{src: src}
	if src.around != nil {
		r.src = src.around.root
		if src.around.runs == deployment.ContextRunsNone {
			r.everything("%s", src.around.reason)
		}
	}
	r.hide()
	r.phases(native, order)
	if r.installs && r.reason == "" {
		r.refuseVariables(plan)
	}
	switch {
	case !r.installs:
	case r.reason != "":
		plan.InstallReadsAll = r.reason
	case len(r.files) == 0:
		plan.InstallReadsAll = "none of its commands names a lock file or a manifest"
	default:
		plan.InstallFiles = r.files
	}
	return nil
}

// installReads collects what install phases read, or why that may be anything.
type installReads struct {
	src      *source
	installs bool                           // there is something to install
	files    []string                       // slash paths inside the source; a folder ends in a slash
	reason   string                         // the first that was found; nothing after it matters
	hidden   *patternmatcher.PatternMatcher // what never enters the build context
}

// phases looks at the install phases up to the first other one that gets the whole source: from there on all of it is in
// the image. Of a phase that says by itself what it needs, nixpacks knows best.
func (r *installReads) phases(native *nativePlan, order []string) {
	for i, name := range order {
		phase := native.Phases[name]
		install := phaseKind(name) == "install"
		switch {
		case len(phase.Cmds) == 0:
		case install && phase.OnlyIncludeFiles != nil:
			r.installs = true
			r.take(phase.OnlyIncludeFiles...)
		case install:
			r.installs = true
			for _, command := range phase.Cmds {
				r.command(command)
			}
		case phase.OnlyIncludeFiles == nil:
			if !r.installs && slices.ContainsFunc(order[i:], func(later string) bool { return r.reads(native, later) }) {
				r.installs = true
				r.everything("the phase %s runs before it and gets all files", name)
			}
			return
		}
	}
}

// reads reports whether a phase installs something and does not say what it needs.
func (r *installReads) reads(native *nativePlan, name string) bool {
	phase := native.Phases[name]
	return phaseKind(name) == "install" && len(phase.Cmds) > 0 && phase.OnlyIncludeFiles == nil
}

// everything gives the collection up.
func (r *installReads) everything(reason string, args ...any) {
	if r.reason == "" {
		r.reason = fmt.Sprintf(reason, args...)
	}
}

func (r *installReads) take(files ...string) {
	for _, file := range files {
		if !slices.Contains(r.files, file) {
			r.files = append(r.files, file)
		}
	}
}

// hide reads what keeps files out of the build context; a file that is hidden would not be found when it is copied, and an
// install does without it today.
func (r *installReads) hide() {
	patterns := ignored()
	if r.there(".dockerignore") {
		data := r.read(".dockerignore")
		own, err := ignorefile.ReadAll(strings.NewReader(string(data)))
		if err != nil {
			r.everything("the .dockerignore cannot be read")
			return
		}
		patterns = append(own, patterns...) // ours are applied where files are sent from: what they hide stays hidden
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		r.everything("the .dockerignore holds a pattern that cannot be read")
		return
	}
	r.hidden = matcher
}

func (r *installReads) hides(name string) bool {
	if r.hidden == nil {
		return false
	}
	hidden, err := r.hidden.MatchesOrParentMatches(name)
	if err != nil {
		r.everything("the .dockerignore cannot be applied to %s", name)
	}
	return hidden
}

// there reports whether a name is in the source, whatever it is.
func (r *installReads) there(name string) bool {
	_, err := r.src.Lstat(name)
	return err == nil
}

// read returns the content of a file that is there. One that cannot be read may say anything.
func (r *installReads) read(name string) []byte {
	data, err := r.src.read(name)
	if err != nil {
		r.everything("%s cannot be read", name)
	}
	return data
}

// copiedName is what a file of the source may be called to be copied by its name alone: nothing that COPY reads as a
// pattern, a variable or a flag.
var copiedName = regexp.MustCompile(`^[A-Za-z0-9._/@+][A-Za-z0-9._/@+ -]*$`)

// add takes those of the files that are there and not hidden.
func (r *installReads) add(names ...string) {
	for _, name := range names {
		if !r.there(name) || r.hides(name) {
			continue
		}
		switch {
		case !copiedName.MatchString(name):
			r.everything("the name of %q cannot be copied by itself", name)
		case r.linked(name) || !r.src.exists(name):
			r.everything("%s is not an ordinary file", name)
		default:
			r.take(name)
		}
	}
}

// need takes files without which an install is none.
func (r *installReads) need(names ...string) {
	for _, name := range names {
		if !r.there(name) {
			r.everything("%s is not there", name)
		}
		r.add(name)
	}
}

// addFolder takes a folder with all that is in it.
func (r *installReads) addFolder(name string) {
	if !r.there(name) {
		return
	}
	seen := false
	err := fs.WalkDir(r.src.FS(), name, func(file string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !r.hides(file) {
			seen = true
			if !entry.Type().IsRegular() {
				r.everything("%s is not an ordinary file", file)
			}
		}
		return err
	})
	switch {
	case err != nil || r.linked(name) || !copiedName.MatchString(name):
		r.everything("the folder %s cannot be copied by itself", name)
	case seen:
		r.take(name + "/")
	}
}

// linked reports whether a name, or a folder on the way to it, is a link: a copy of it would not be what it points to.
func (r *installReads) linked(name string) bool {
	for dir := name; dir != "."; dir = path.Dir(dir) {
		if info, err := r.src.Lstat(dir); err != nil || info.Mode()&fs.ModeSymlink != 0 {
			return true
		}
	}
	return false
}
