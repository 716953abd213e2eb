package compose_test

import (
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/slipway-dev/slipway/internal/buildkit"
	"github.com/slipway-dev/slipway/internal/config"
)

const (
	composeFile   = "../../deploy/compose.yaml"
	tlsFile       = "../../deploy/compose.tls.yaml"
	buildkitdFile = "../../deploy/buildkitd.toml"
	runtimeFile   = "../../deploy/step-runtime.sh"
)

var update = flag.Bool("update", false, "write deploy/buildkitd.toml and deploy/step-runtime.sh")

// load reads the file as Docker Compose does, with settings (NAME=value) as the environment: it is interpolated, held
// against the schema, and what it names has to be declared.
func load(t *testing.T, settings ...string) *types.Project {
	t.Helper()
	return loadFiles(t, []string{composeFile}, settings...)
}

func loadFiles(t *testing.T, files []string, settings ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions(files, cli.WithEnv(settings), cli.WithInterpolation(true), cli.WithResolvedPaths(true))
	require.NoError(t, err)
	project, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	return project
}

func TestFile_ImagesArePinned(t *testing.T) {
	t.Parallel()
	pinned := regexp.MustCompile(`^[a-z.]+\.io/[a-z/-]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?$`)
	for name, s := range load(t).Services {
		if s.Build == nil {
			require.Regexp(t, pinned, s.Image, name)
			continue
		}
		require.Contains(t, stages(t, filepath.Join(s.Build.Context, s.Build.Dockerfile)), s.Build.Target, name)
	}
}

// stages lists the stages of a Dockerfile.
func stages(t *testing.T, path string) []string {
	t.Helper()
	dockerfile, err := os.ReadFile(path)
	require.NoError(t, err)
	var names []string
	for _, match := range regexp.MustCompile(`(?m)^FROM .* AS (\S+)$`).FindAllSubmatch(dockerfile, -1) {
		names = append(names, string(match[1]))
	}
	return names
}

func TestFile_PublishesOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	project := load(t)
	for name, s := range project.Services {
		for _, port := range s.Ports {
			address, err := netip.ParseAddr(port.HostIP)
			require.NoError(t, err, "port %s of %s", port.Published, name)
			require.True(t, address.IsLoopback(), "port %s of %s", port.Published, name)
		}
	}
	gateway, err := netip.ParseAddrPort(roleOf(t, project, "gateway", config.LoadGateway).Gateway.Addr)
	require.NoError(t, err)
	require.True(t, gateway.Addr().IsLoopback(), "it is on the host's network")
}

// What the schema lets pass: things that are declared and that nobody uses.
func TestFile_EverythingDeclaredIsUsed(t *testing.T) {
	t.Parallel()
	project := load(t)
	networks, volumes, secrets, configs := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, service := range project.Services {
		for name := range service.Networks {
			networks[name] = true
		}
		for _, v := range service.Volumes {
			switch v.Type {
			case types.VolumeTypeVolume:
				volumes[v.Source] = true
			case types.VolumeTypeBind:
				if v.Source != "/var/run/docker.sock" {
					require.FileExists(t, v.Source, service.Name)
				}
			}
		}
		for _, secret := range service.Secrets {
			secrets[secret.Source] = true
		}
		for _, config := range service.Configs {
			configs[config.Source] = true
		}
	}
	require.ElementsMatch(t, project.NetworkNames(), slices.Collect(maps.Keys(networks)))
	require.ElementsMatch(t, project.VolumeNames(), slices.Collect(maps.Keys(volumes)))
	require.ElementsMatch(t, project.SecretNames(), slices.Collect(maps.Keys(secrets)))
	require.ElementsMatch(t, project.ConfigNames(), slices.Collect(maps.Keys(configs)))
}

// A service that stays is restarted, watched and bounded; one that ends is waited for by its success.
func TestFile_ServicesAreLookedAfter(t *testing.T) {
	t.Parallel()
	project := load(t)
	unwatched := []string{"temporal-ui"} // nothing to ask with
	for name, s := range project.Services {
		require.NotEmpty(t, s.Restart, name)
		require.NotEmpty(t, s.Logging.Options["max-size"], name)
		for needed, dependency := range s.DependsOn {
			want := types.ServiceConditionHealthy
			if project.Services[needed].HealthCheck == nil {
				want = types.ServiceConditionCompletedSuccessfully
			}
			require.Equal(t, want, dependency.Condition, "%s waits for %s", name, needed)
		}
		if s.Restart != types.RestartPolicyUnlessStopped {
			continue
		}
		require.NotZero(t, s.Deploy.Resources.Limits.MemoryBytes, name)
		require.Equal(t, slices.Contains(unwatched, name), s.HealthCheck == nil, name)
	}
}

// Data and builds are kept apart, and neither is where people's requests arrive.
func TestFile_Networks(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"postgres": {"platform"}, "temporal-schema": {"platform"}, "temporal": {"platform"}, "migrate": {"platform"},
		"temporal-ui": {"platform", "serve"}, "api": {"platform", "serve"},
		"registry": {"build"}, "buildkitd": {"build"},
	}
	mode := map[string]string{"secrets": "none", "worker": "host", "gateway": "host"}
	for name, s := range load(t).Services {
		require.ElementsMatch(t, want[name], slices.Collect(maps.Keys(s.Networks)), name)
		require.Equal(t, mode[name], s.NetworkMode, name)
	}
}

// The two names of the registry are those under which builders and Docker reach it.
func TestFile_RegistryHasTwoNames(t *testing.T) {
	t.Parallel()
	project := load(t, "REGISTRY_PORT=5055")
	worker := roleOf(t, project, "worker", config.LoadWorker)
	require.Equal(t, "registry:5055", worker.Registry.PushHost)
	require.Equal(t, "localhost:5055", worker.Registry.PullHost)
	require.Equal(t, []string{"127.0.0.1"}, project.Services["worker"].ExtraHosts["registry"])
	registry := project.Services["registry"]
	require.Equal(t, "0.0.0.0:5055", *registry.Environment["REGISTRY_HTTP_ADDR"])
	require.Equal(t, "5055", registry.Ports[0].Published)
	require.EqualValues(t, 5055, registry.Ports[0].Target)
}

// roleOf loads the configuration of a role from its service's environment, as the role does.
func roleOf[R any](t *testing.T, project *types.Project, service string, load func([]string) (R, error)) R {
	t.Helper()
	environment := maps.Clone(project.Services[service].Environment)
	password := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(password, []byte("p\n"), 0o600))
	require.NotEmpty(t, environment["SLIPWAY_DATABASE_PASSWORD_FILE"], service)
	environment["SLIPWAY_DATABASE_PASSWORD_FILE"] = &password // the one that is named lies in a volume
	var environ []string
	for name, value := range environment {
		if value != nil { // else nobody has set what is only passed on
			environ = append(environ, name+"="+*value)
		}
	}
	r, err := load(environ)
	require.NoError(t, err, service)
	return r
}

// Every SLIPWAY_* variable is one of slipway's, with a value that its role takes, and the roles agree with one another.
func TestFile_RolesUnderstandTheirSettings(t *testing.T) {
	t.Parallel()
	project := load(t)
	api := roleOf(t, project, "api", config.LoadAPI)
	worker := roleOf(t, project, "worker", config.LoadWorker)
	gateway := roleOf(t, project, "gateway", config.LoadGateway)
	migrate := roleOf(t, project, "migrate", config.LoadMigrate)
	require.Equal(t, api.Postgres.URL, migrate.Postgres.URL)
	require.Equal(t, api.Postgres.Keyset, migrate.Postgres.Keyset)
	require.Equal(t, api.Postgres.Keyset, worker.Postgres.Keyset)
	require.Equal(t, worker.Postgres.URL, gateway.Postgres.URL)
	require.Equal(t, api.Gateway, worker.Gateway)
	require.Equal(t, api.Gateway, gateway.Gateway)
	require.Equal(t, api.Temporal.Addr, migrate.Temporal.Addr)
	require.Equal(t, api.Git, worker.Git)
}

// Whoever has the keyset can unwrap it, and nobody else is given the credentials for that.
func TestFile_KeysetMayBeWrapped(t *testing.T) {
	t.Parallel()
	const key = "aws-kms://arn:aws:kms:eu-west-1:111122223333:alias/slipway"
	project := load(t, "SLIPWAY_KEYSET_KMS="+key, "AWS_SECRET_ACCESS_KEY=s3cret")
	require.Equal(t, key, roleOf(t, project, "migrate", config.LoadMigrate).Postgres.KeysetKMS)
	require.Equal(t, key, roleOf(t, project, "api", config.LoadAPI).Postgres.KeysetKMS)
	require.Equal(t, key, roleOf(t, project, "worker", config.LoadWorker).Postgres.KeysetKMS)
	for name, s := range project.Services {
		_, has := s.Environment["AWS_SECRET_ACCESS_KEY"]
		require.Equal(t, slices.Contains([]string{"migrate", "api", "worker"}, name), has, name)
	}
}

// The gateway has the keyset only where it keeps certificates, and can read it then as the API does.
func TestFile_TLS(t *testing.T) {
	t.Parallel()
	settings := []string{"SLIPWAY_TLS=acme", "SLIPWAY_TLS_ADDR=0.0.0.0:443", "SLIPWAY_KEYSET_KMS=aws-kms://arn:aws:kms:eu-west-1:111122223333:alias/slipway"}
	project := loadFiles(t, []string{composeFile, tlsFile}, settings...)
	api, gateway := roleOf(t, project, "api", config.LoadAPI), roleOf(t, project, "gateway", config.LoadGateway)
	require.Equal(t, api.Postgres.Keyset, gateway.Postgres.Keyset)
	require.Equal(t, api.Postgres.KeysetKMS, gateway.Postgres.KeysetKMS)
	require.Equal(t, api.Gateway, gateway.Gateway)
	require.Equal(t, "https", api.Gateway.PublicScheme)
	require.Equal(t, 443, api.Gateway.PublicPort)
	sees := func(p *types.Project, service string) bool {
		return slices.ContainsFunc(p.Services[service].Volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == "/var/lib/slipway" })
	}
	require.True(t, sees(project, "gateway"))
	require.Equal(t, project.Services["api"].User, project.Services["gateway"].User, "the keyset is its owner's alone")
	require.False(t, sees(load(t, settings...), "gateway"))
}

// .env.example lists what the file lets one set, all of it and with its default; a setting of slipway's is passed on under
// its own name.
func TestFile_EnvExampleIsComplete(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(composeFile)
	require.NoError(t, err)
	var document map[string]any
	require.NoError(t, yaml.Unmarshal(text, &document))
	var want []string
	for name, variable := range template.ExtractVariables(document, template.DefaultPattern) {
		want = append(want, fmt.Sprintf("#%s=%s", name, variable.DefaultValue))
		if strings.HasPrefix(name, "SLIPWAY_") {
			require.Contains(t, string(text), fmt.Sprintf("%s: ${%s", name, name))
		}
	}
	example, err := os.ReadFile("../../deploy/.env.example")
	require.NoError(t, err)
	require.ElementsMatch(t, want, regexp.MustCompile(`(?m)^#[A-Z_]+=.*$`).FindAllString(string(example), -1))
}

// What the file has a value of its own for: where things lie in its containers, and what only a slipway-dev or the daemon reads.
var settledByFile = []string{
	"SLIPWAY_BIN_DIR", "SLIPWAY_BUILDKIT_CA_FILE", "SLIPWAY_BUILDKIT_CERT_FILE", "SLIPWAY_BUILDKIT_KEY_FILE", "SLIPWAY_BUILD_BRIDGE",
	"SLIPWAY_BUILD_CACHE_SIZE", "SLIPWAY_BUILD_CPUS", "SLIPWAY_BUILD_MEMORY", "SLIPWAY_BUILD_PROCESSES", "SLIPWAY_BUILD_SUBNET", "SLIPWAY_CNI_DIR",
	"SLIPWAY_DOCKER_HOST", "SLIPWAY_DOCKER_MIRROR", "SLIPWAY_EXAMPLES_ADDR", "SLIPWAY_EXAMPLES_DIR", "SLIPWAY_IMAGES_DIR", "SLIPWAY_KEYSET_FILE",
	"SLIPWAY_NIXPACKS", "SLIPWAY_POSTGRES_BIN_DIR", "SLIPWAY_REGISTRY_ADDR", "SLIPWAY_UI_ADDR",
}

// Every other setting can be set without a change of the file. Those that it has no default for reach every role, and only when they are set.
func TestFile_PassesSettingsOn(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(composeFile)
	require.NoError(t, err)
	var passed []string
	for _, found := range regexp.MustCompile("(?m)^\\| `(SLIPWAY_[A-Z_]+)`").FindAllStringSubmatch(config.Document(), -1) {
		switch name := found[1]; {
		case slices.Contains(settledByFile, name):
			require.NotContains(t, string(text), name+":\n")
		case !strings.Contains(string(text), name+": "):
			passed = append(passed, name)
		}
	}
	require.Contains(t, passed, "SLIPWAY_PREVIEW_IDLE")
	var settings []string
	for _, name := range passed {
		settings = append(settings, name+"=of-"+name)
	}
	set, unset := load(t, settings...), load(t)
	for _, role := range []string{"migrate", "api", "worker", "gateway"} {
		for _, name := range passed {
			value := set.Services[role].Environment[name]
			require.NotNil(t, value, "%s of %s", name, role)
			require.Equal(t, "of-"+name, *value)
			require.Nil(t, unset.Services[role].Environment[name])
		}
	}
	project := load(t, "SLIPWAY_PREVIEW_IDLE=7m")
	require.Equal(t, 7*time.Minute, roleOf(t, project, "worker", config.LoadWorker).Leases.Idle)
}

// buildkitd is configured as slipway-dev's own is.
func TestFile_BuildkitdIsFresh(t *testing.T) {
	t.Parallel()
	want := "# Made by e2e/compose: go test ./e2e/compose -run BuildkitdIsFresh -update\n" + daemon().TOML()
	runtime := daemon().Limits.Runtime()
	if *update {
		require.NoError(t, os.WriteFile(buildkitdFile, []byte(want), 0o644))
		require.NoError(t, os.WriteFile(runtimeFile, []byte(runtime), 0o644))
	}
	have, err := os.ReadFile(buildkitdFile)
	require.NoError(t, err)
	require.Equal(t, want, string(have), "run: make generate")
	have, err = os.ReadFile(runtimeFile)
	require.NoError(t, err)
	require.Equal(t, runtime, string(have), "run: make generate")
	dev, err := config.LoadDev(nil)
	require.NoError(t, err)
	require.Equal(t, dev.BuildKit.CacheSize, daemon().CacheBytes, "as everywhere")
	require.Equal(t, buildkit.StepLimits{CPUs: dev.BuildKit.StepCPUs, Memory: dev.BuildKit.StepMemory, Processes: dev.BuildKit.StepProcesses}, daemon().Limits)
	entrypoint, err := os.ReadFile("../../deploy/buildkitd.sh")
	require.NoError(t, err)
	require.Contains(t, string(entrypoint), "\nbridge="+daemon().BridgeName+"\n")
}

func daemon() buildkit.DaemonConfig {
	return buildkit.DaemonConfig{
		Root: "/var/lib/buildkit", Address: "unix:///run/buildkit/buildkitd.sock", RegistryAddr: "registry:5000",
		BridgeName: "slipway0", BridgeSubnet: "10.214.0.0/16", CacheBytes: 20 << 30,
		Limits: buildkit.StepLimits{Memory: 4 << 30, Processes: 4096},
	}
}
