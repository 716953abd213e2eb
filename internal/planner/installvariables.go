package planner

import (
	"maps"
	"regexp"
	"slices"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// steering are variables by which package managers and their runtimes read other files than usual.
var steering = regexp.MustCompile(`^(NODE_OPTIONS|NODE_PATH|BASH_ENV|ENV|GOFLAGS|GOWORK|GOENV|GOMODCACHE|COMPOSER(_HOME|_VENDOR_DIR|_ROOT_VERSION)?|` +
	`PIP_(REQUIREMENT|CONSTRAINT|BUILD_CONSTRAINT|FIND_LINKS|CONFIG_FILE|TARGET|PREFIX|ROOT|EDITABLE|SRC)|PYTHON(PATH|STARTUP|HOME)|` +
	`UV_(CONSTRAINT|OVERRIDE|BUILD_CONSTRAINT|FIND_LINKS|CONFIG_FILE|PROJECT|WORKING_DIRECTORY|ENV_FILE)|PIPENV_PIPFILE|PDM_PROJECT|` +
	`POETRY_(VIRTUALENVS_IN_PROJECT|HOME|CONFIG_DIR)|YARN_(RC_FILENAME|YARN_PATH|PLUGINS|CACHE_FOLDER|LOCKFILE_FILENAME)|BUNDLE_(GEMFILE|APP_CONFIG|PATH)|` +
	`(?i:npm_config_(userconfig|globalconfig|prefix|script_shell|node_options|cafile|pnpmfile|global_pnpmfile|workspaces?|install_links|offline)))$`)

// refuseVariables gives up for variables of the plan, or of the project, that lead an install to other files.
func (r *installReads) refuseVariables(plan *deployment.Plan) {
	for _, name := range append(slices.Sorted(maps.Keys(plan.Variables)), plan.SecretNames...) {
		if steering.MatchString(name) {
			r.everything("the variable %s may lead it to other files", name)
		}
	}
}
