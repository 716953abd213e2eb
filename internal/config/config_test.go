package config_test

import (
	"flag"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/config"
	"github.com/slipway-dev/slipway/temporal"
)

var update = flag.Bool("update", false, "write docs/configuration.md")

// yamlFile writes a configuration file and returns the variable that names it.
func yamlFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return "SLIPWAY_CONFIG=" + path
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	d, err := config.LoadDev([]string{"HOME=/root", "PATH=/bin"})
	require.NoError(t, err)
	wd, err := os.Getwd()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(wd, ".slipway"), d.DataDir)
	require.Equal(t, filepath.Join(wd, ".slipway", "workspaces"), d.Worker.WorkspaceDir)
	require.Equal(t, "127.0.0.1:8080", d.API.Addr)
	require.Equal(t, config.Gateway{Addr: "127.0.0.1:8000", Domain: "localhost", PublicScheme: "http", PublicPort: 8000, AccessLog: "off", TLS: d.Gateway.TLS}, d.Gateway)
	require.Equal(t, config.TLSOff, d.Gateway.TLS.Mode)
	require.Equal(t, "http://127.0.0.1:8233", d.Temporal.UIURL)
	require.Equal(t, "127.0.0.1:5000", d.Registry.PushHost)
	require.Equal(t, "127.0.0.1:5000", d.Registry.PullHost)
	require.Equal(t, []string{"https", "ssh"}, d.Git.AllowSchemes)
	require.Empty(t, d.Git.AllowNets)
	require.Equal(t, netip.MustParsePrefix("10.213.0.0/16"), d.Docker.PreviewSubnets)
	require.Equal(t, 2, d.Worker.BuildSlots)
	require.EqualValues(t, 20<<30, d.BuildKit.CacheSize)
	require.Zero(t, d.Worker.ProjectSlots)
	require.EqualValues(t, 3<<30, d.Worker.MinFreeDisk)
	require.NotEmpty(t, d.Worker.HostID)
}

func TestDefaultTimesAreThoseOfTheWorkflows(t *testing.T) {
	t.Parallel()
	d, err := config.LoadDev(nil)
	require.NoError(t, err)
	got := d.Timeouts
	want := temporal.DefaultLimits()
	require.Equal(t, want, temporal.Limits{
		Line: got.Line, Deploy: got.Deploy, Resolve: got.Resolve, Fetch: got.Fetch, Plan: got.Plan, Build: want.Build, Release: got.Release,
		Drain: got.Drain, CleanUp: got.CleanUp, Short: got.Short, Heartbeat: got.Heartbeat, ScheduleToStart: got.ScheduleToStart,
		RetryInitial: got.RetryInitial, RetryMaximum: got.RetryMaximum, Attempts: got.Attempts, Hosts: got.Hosts,
	})
}

func TestDefaultTimesRepairATerminateWithinAMinute(t *testing.T) {
	t.Parallel()
	d, err := config.LoadDev([]string{"HOME=/root", "PATH=/bin"})
	require.NoError(t, err)
	found, settled, removed := d.Timeouts.Reconcile, 5*d.Timeouts.HeartbeatInterval, d.Timeouts.Reconcile+d.Timeouts.StopWait
	require.LessOrEqual(t, found+settled+removed, time.Minute)
}

func TestVariableWinsOverFileWinsOverDefault(t *testing.T) {
	t.Parallel()
	d, err := config.LoadDev([]string{
		yamlFile(t, `
data_dir: /srv/slipway
log: {level: debug}
api: {addr: "127.0.0.1:1"}
gateway: {addr: "127.0.0.1:2", public_port: 443, trusted_proxies: [10.0.0.0/8], max_request_body: 1MB}
git: {allow_schemes: [https, http], allow_nets: ["10.0.0.0/8", "fd00::/8"]}
worker: {build_slots: 7}
buildkit: {docker_mirror: true, cache_size: 1.5TB}
timeouts: {heartbeat: 20s}`),
		"SLIPWAY_API_ADDR=127.0.0.1:3", "SLIPWAY_BUILD_SLOTS=4", "SLIPWAY_EXAMPLES_DIR=",
	})
	require.NoError(t, err)
	require.Equal(t, "/srv/slipway", d.DataDir)
	require.Equal(t, slog.LevelDebug, d.Log.Level)
	require.Equal(t, "127.0.0.1:3", d.API.Addr, "variable over file")
	require.Equal(t, "127.0.0.1:2", d.Gateway.Addr, "file over default")
	require.Equal(t, "127.0.0.1:8233", d.Temporal.UIAddr, "default")
	require.Equal(t, 443, d.Gateway.PublicPort)
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, d.Gateway.TrustedProxies)
	require.EqualValues(t, 1<<20, d.Gateway.MaxRequestBody)
	require.Equal(t, []string{"https", "http"}, d.Git.AllowSchemes)
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}, d.Git.AllowNets)
	require.Equal(t, 4, d.Worker.BuildSlots)
	require.True(t, d.BuildKit.DockerMirror)
	require.EqualValues(t, 3<<39, d.BuildKit.CacheSize)
	require.Equal(t, 20*time.Second, d.Timeouts.Heartbeat)
	require.Empty(t, d.Examples.Dir, "an empty variable switches off")
}

func TestDefaultFileIsReadFromTheWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("slipway.yaml", []byte("log: {format: json}"), 0o600))
	d, err := config.LoadDev(nil)
	require.NoError(t, err)
	require.Equal(t, "json", d.Log.Format)
}

func TestEveryFaultIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := config.LoadDev([]string{
		yamlFile(t, "gateway: {adr: 1, domain: 'Not A Domain'}\ntimeouts: {plan: 90}\nlog: {level: {a: 1}}\nworker: 3"),
		"SLIPWAY_API_ADDR=0.0.0.0:8080", "SLIPWAY_BUILD_SLOTS=none", "SLIPWAY_GATEWAY_ADR=127.0.0.1:1",
		"SLIPWAY_DATABASE_URL=mysql://u:hunter2@h/d", "SLIPWAY_NIXPACKS=", "SLIPWAY_BUILD_SUBNET=10.1.2.3/30",
		"SLIPWAY_GIT_ALLOW_NETS=10.0.0.0/8,home", "SLIPWAY_DOCKER_MIRROR=maybe", "SLIPWAY_BUILD_PRIVATE_NETWORKS=fd00::/8", "SLIPWAY_PREVIEW_SERVICES=10.0.0.5", "SLIPWAY_BUILD_CPUS=-1", "SLIPWAY_BUILD_CACHE_SIZE=1000MB",
		"SLIPWAY_MIN_FREE_DISK=much", "SLIPWAY_DISK_DIRS=/var,lib", "SLIPWAY_TRAEFIK_ENTRYPOINTS=web secure",
	})
	var faults config.Faults
	require.ErrorAs(t, err, &faults)
	for _, want := range []struct{ key, problem, fix string }{
		{"SLIPWAY_GATEWAY_ADR", "is no variable of slipway", "did you mean SLIPWAY_GATEWAY_ADDR?"},
		{"c.yaml: gateway.adr", "is no setting of slipway", "did you mean gateway.addr?"},
		{"c.yaml: gateway.domain", `"Not A Domain" does not fit`, "give a domain in lower case"},
		{"c.yaml: timeouts.plan", `"90" does not fit`, "such as 500ms"},
		{"c.yaml: log.level.a", "is no setting of slipway", "did you mean log.level?"},
		{"c.yaml: worker", "is no setting of slipway", "docs/configuration.md"},
		{"SLIPWAY_API_ADDR", `"0.0.0.0:8080" does not fit`, "listens on loopback only"},
		{"SLIPWAY_BUILD_SLOTS", `"none" does not fit`, "give a whole number from 1 to 256"},
		{"SLIPWAY_DATABASE_URL", "its value does not fit", "give a URL such as postgres://"},
		{"SLIPWAY_NIXPACKS", "is empty", "give a value"},
		{"SLIPWAY_BUILD_SUBNET", `"10.1.2.3/30" does not fit`, "give an IPv4 network"},
		{"SLIPWAY_GIT_ALLOW_NETS", `"10.0.0.0/8,home" does not fit`, `"home" is no network`},
		{"SLIPWAY_BUILD_PRIVATE_NETWORKS", `"fd00::/8" does not fit`, "give IPv4 networks"},
		{"SLIPWAY_PREVIEW_SERVICES", `"10.0.0.5" does not fit`, "such as 192.168.1.10:5432"},
		{"SLIPWAY_BUILD_CPUS", `"-1" does not fit`, "give 0, or a number from 0.1 to 1024"},
		{"SLIPWAY_DOCKER_MIRROR", `"maybe" does not fit`, "give true or false"},
		{"SLIPWAY_BUILD_CACHE_SIZE", `"1000MB" does not fit`, "give a size of at least 1GB, such as 20GB"},
		{"SLIPWAY_MIN_FREE_DISK", `"much" does not fit`, "give a size of at least 0B, such as 20GB"},
		{"SLIPWAY_DISK_DIRS", `"/var,lib" does not fit`, `"lib" is no absolute path`},
		{"SLIPWAY_TRAEFIK_ENTRYPOINTS", `"web secure" does not fit`, "such as websecure"},
	} {
		found := false
		for _, f := range faults {
			found = found || strings.HasSuffix(f.Key, want.key) && f.Problem == want.problem && strings.Contains(f.Fix, want.fix)
		}
		require.True(t, found, "%v in\n%v", want, err)
	}
	require.Len(t, faults, 20, err)
	require.NotContains(t, err.Error(), "hunter2")
}

func TestContradictionsAreReported(t *testing.T) {
	t.Parallel()
	_, err := config.LoadDev([]string{
		"SLIPWAY_API_ADDR=127.0.0.1:8000", "SLIPWAY_PREVIEW_SUBNETS=10.214.0.0/20", "SLIPWAY_HEARTBEAT_INTERVAL=10s",
		"SLIPWAY_RETRY_INITIAL=1m", "SLIPWAY_TEMPORAL_RETENTION=1m",
		"SLIPWAY_DRAIN_WAIT=110s", "SLIPWAY_PREVIEW_HOST_LOST=30s", "SLIPWAY_PREVIEW_IDLE=5s",
	})
	for _, want := range []string{
		"127.0.0.1:8000 is the address of SLIPWAY_API_ADDR too", "overlaps SLIPWAY_PREVIEW_SUBNETS", "half of SLIPWAY_HEARTBEAT_TIMEOUT",
		"longest wait of 30s", "give at least 1h", "give at least 2m5s", "more than three times SLIPWAY_HOST_SEEN_INTERVAL", "give at least 30s, or forever",
	} {
		require.ErrorContains(t, err, want)
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for text, bytes := range map[string]int64{"0": 0, "500MB": 500 << 20, "1.5 gb": 3 << 29, "2GiB": 2 << 30, "4096": 4096} {
		d, err := config.LoadDev([]string{"SLIPWAY_MIN_FREE_DISK=" + text})
		require.NoError(t, err, text)
		require.Equal(t, bytes, d.Worker.MinFreeDisk, text)
	}
}

func TestRetentionsFitTogether(t *testing.T) {
	t.Parallel()
	c, err := config.LoadDev(nil)
	require.NoError(t, err)
	require.Equal(t, config.Retention{Images: 5, LogMB: 50, Logs: 30 * 24 * time.Hour, Deployments: 365 * 24 * time.Hour}, c.Retention)
	for _, fits := range [][]string{
		{"SLIPWAY_LOG_RETENTION=forever", "SLIPWAY_DEPLOYMENT_RETENTION=forever"},
		{"SLIPWAY_LOG_RETENTION=0", "SLIPWAY_DEPLOYMENT_RETENTION=0"},
		{"SLIPWAY_DEPLOYMENT_RETENTION=720h"},
		{"SLIPWAY_LOG_RETENTION=1h", "SLIPWAY_DEPLOYMENT_RETENTION=2h", "SLIPWAY_TEMPORAL_RETENTION=2h"},
	} {
		c, err = config.LoadDev(fits)
		require.NoError(t, err, fits)
	}
	require.Equal(t, 2*time.Hour, c.Retention.Deployments)
	for _, wrong := range []struct{ variables, problem string }{
		{"SLIPWAY_LOG_RETENTION=59m", "59m0s is too short: give at least 1h, or forever"},
		{"SLIPWAY_LOG_RETENTION=soon", "2h, or forever"},
		{"SLIPWAY_LOG_RETENTION=forever", "8760h0m0s is shorter than SLIPWAY_LOG_RETENTION, forever"},
		{"SLIPWAY_DEPLOYMENT_RETENTION=719h SLIPWAY_TEMPORAL_RETENTION=2h", "719h0m0s is shorter than SLIPWAY_LOG_RETENTION, 720h0m0s"},
		{"SLIPWAY_DEPLOYMENT_RETENTION=719h SLIPWAY_LOG_RETENTION=2h", "719h0m0s is shorter than SLIPWAY_TEMPORAL_RETENTION, 720h0m0s"},
	} {
		_, err = config.LoadDev(strings.Fields(wrong.variables))
		require.ErrorContains(t, err, wrong.problem, wrong.variables)
	}
	_, err = config.LoadWorker([]string{"SLIPWAY_DATABASE_URL=postgres://h/d", "SLIPWAY_BUILDKIT_ADDR=unix:///x", "SLIPWAY_LOG_RETENTION=forever"})
	require.ErrorContains(t, err, "SLIPWAY_DEPLOYMENT_RETENTION")
}

func TestVariablesOfOthersAreLeftAlone(t *testing.T) {
	t.Parallel()
	_, err := config.LoadDev([]string{"SLIPWAY_TOKEN=x", "SLIPWAY_API_URL=y", "SLIPWAY_CACHE=z", "SLIPWAY_TEST_ANYTHING=1"})
	require.NoError(t, err)
}

func TestFileThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	_, err := config.LoadDev([]string{"SLIPWAY_CONFIG=/nowhere/slipway.yaml"})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = config.LoadDev([]string{yamlFile(t, "a: [")})
	require.ErrorContains(t, err, "read configuration")
}

func TestRolesReadTheSameKeys(t *testing.T) {
	t.Parallel()
	environ := []string{
		"SLIPWAY_DATABASE_URL=postgres://u@db/slipway", "SLIPWAY_TEMPORAL_ADDR=temporal.example.com:7233",
		"SLIPWAY_API_ADDR=:8080", "SLIPWAY_GATEWAY_ADDR=0.0.0.0:80", "SLIPWAY_BUILDKIT_ADDR=tcp://builder:1234",
		"SLIPWAY_WORKSPACE_DIR=/var/lib/slipway", "SLIPWAY_HOST_ID=b1", "SLIPWAY_REGISTRY_ADDR=registry:5000",
	}
	a, err := config.LoadAPI(environ)
	require.NoError(t, err)
	require.Equal(t, ":8080", a.API.Addr)
	w, err := config.LoadWorker(environ)
	require.NoError(t, err)
	require.Equal(t, "b1", w.Worker.HostID)
	require.Equal(t, "registry:5000", w.Registry.PullHost)
	g, err := config.LoadGateway(environ)
	require.NoError(t, err)
	require.Equal(t, 80, g.Gateway.PublicPort)
	m, err := config.LoadMigrate(environ)
	require.NoError(t, err)
	require.Equal(t, "temporal.example.com:7233", m.Temporal.Addr)
}

func TestRolesAskForWhatTheyCannotDoWithout(t *testing.T) {
	t.Parallel()
	_, err := config.LoadWorker(nil)
	var faults config.Faults
	require.ErrorAs(t, err, &faults)
	require.Len(t, faults, 2)
	require.Equal(t, "SLIPWAY_DATABASE_URL", faults[0].Key)
	require.Equal(t, "SLIPWAY_BUILDKIT_ADDR", faults[1].Key)
}

func passwordFile(t *testing.T, password string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(path, []byte(password+"\n"), 0o600))
	return path
}

func TestPasswordComesFromAFile(t *testing.T) {
	t.Parallel()
	environ := []string{"SLIPWAY_DATABASE_URL=postgres://slipway@db:5432/slipway?sslmode=disable", "SLIPWAY_DATABASE_PASSWORD_FILE=" + passwordFile(t, "p@ss/w:rd")}
	m, err := config.LoadMigrate(environ)
	require.NoError(t, err)
	u, err := url.Parse(m.Postgres.URL)
	require.NoError(t, err)
	password, _ := u.User.Password()
	require.Equal(t, "p@ss/w:rd", password)
	require.Equal(t, "slipway", u.User.Username())
	require.Equal(t, "sslmode=disable", u.RawQuery)
	g, err := config.LoadGateway(environ)
	require.NoError(t, err)
	require.Equal(t, m.Postgres.URL, g.Postgres.URL)
	require.Empty(t, g.Postgres.Keyset, "routes hold no secret")
}

func TestPasswordFileThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ url, file, problem string }{
		"not there": {"postgres://slipway@db/slipway", "/nowhere/password", "no such file"},
		"no user":   {"postgres://db/slipway", passwordFile(t, "p"), "names no user"},
	} {
		_, err := config.LoadGateway([]string{"SLIPWAY_DATABASE_URL=" + test.url, "SLIPWAY_DATABASE_PASSWORD_FILE=" + test.file})
		var faults config.Faults
		require.ErrorAs(t, err, &faults, name)
		require.Len(t, faults, 1, name)
		require.Equal(t, "SLIPWAY_DATABASE_PASSWORD_FILE", faults[0].Key, name)
		require.Contains(t, faults[0].Problem, test.problem, name)
	}
}

func TestRolesKeepTheirThingsInTheDataDirectory(t *testing.T) {
	t.Parallel()
	environ := []string{"SLIPWAY_DATABASE_URL=postgres://u@db/slipway", "SLIPWAY_BUILDKIT_ADDR=unix:///b", "SLIPWAY_DATA_DIR=/var/lib/slipway"}
	w, err := config.LoadWorker(environ)
	require.NoError(t, err)
	require.Equal(t, "/var/lib/slipway/workspaces", w.Worker.WorkspaceDir)
	require.Equal(t, "/var/lib/slipway/keyset.json", w.Postgres.Keyset)
	a, err := config.LoadAPI(environ)
	require.NoError(t, err)
	require.Equal(t, w.Postgres.Keyset, a.Postgres.Keyset)
	m, err := config.LoadMigrate(environ)
	require.NoError(t, err)
	require.Equal(t, w.Postgres.Keyset, m.Postgres.Keyset)
	require.Equal(t, "/var/lib/slipway/admin.token", m.AdminTokenFile())
}

func TestTheKeyThatWrapsTheKeyset(t *testing.T) {
	t.Parallel()
	environ := []string{"SLIPWAY_DATABASE_URL=postgres://u@db/slipway"}
	for _, key := range []string{
		"", "aws-kms://arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
		"aws-kms://arn:aws-us-gov:kms:us-gov-west-1:111122223333:alias/slipway/keys",
	} {
		m, err := config.LoadMigrate(append(environ, "SLIPWAY_KEYSET_KMS="+key))
		require.NoError(t, err)
		require.Equal(t, key, m.Postgres.KeysetKMS)
		g, err := config.LoadGateway(append(environ, "SLIPWAY_KEYSET_KMS="+key))
		require.NoError(t, err)
		require.Empty(t, g.Postgres.KeysetKMS)
	}
	for _, other := range []string{"arn:aws:kms:eu-central-1:111122223333:key/1", "gcp-kms://projects/p/locations/l/keyRings/r/cryptoKeys/k", "aws-kms://alias/slipway"} {
		_, err := config.LoadMigrate(append(environ, "SLIPWAY_KEYSET_KMS="+other))
		require.ErrorContains(t, err, "aws-kms://arn:aws:kms:<region>:<account>:key/<id>", other)
	}
}

func TestTLSFilesOfTheBuilder(t *testing.T) {
	t.Parallel()
	const ca, cert, key = "SLIPWAY_BUILDKIT_CA_FILE=ca", "SLIPWAY_BUILDKIT_CERT_FILE=cert", "SLIPWAY_BUILDKIT_KEY_FILE=key"
	for name, test := range map[string]struct {
		addr  string
		files []string
		fault string // "" for none
	}{
		"all":               {"tcp://b:1234", []string{ca, cert, key}, ""},
		"authority alone":   {"tcp://b:1234", []string{ca}, ""},
		"no key":            {"tcp://b:1234", []string{ca, cert}, "SLIPWAY_BUILDKIT_CERT_FILE"},
		"no authority":      {"tcp://b:1234", []string{cert, key}, "SLIPWAY_BUILDKIT_CERT_FILE"},
		"a key alone":       {"tcp://b:1234", []string{key}, "SLIPWAY_BUILDKIT_CERT_FILE"},
		"on a unix socket":  {"unix:///b", []string{ca}, "SLIPWAY_BUILDKIT_ADDR"},
		"one of two":        {"tcp://b:1234,unix:///b", []string{ca}, "SLIPWAY_BUILDKIT_ADDR"},
		"two":               {"tcp://b:1234, tcp://c:1234", []string{ca, cert, key}, ""},
		"twice":             {"tcp://b:1234,tcp://b:1234", nil, "SLIPWAY_BUILDKIT_ADDR"},
		"none":              {",", nil, "SLIPWAY_BUILDKIT_ADDR"},
		"not an address":    {"tcp://b:1234,b", nil, "SLIPWAY_BUILDKIT_ADDR"},
		"none on a socket":  {"unix:///b", nil, ""},
		"none, unencrypted": {"tcp://b:1234", nil, ""},
	} {
		_, err := config.LoadWorker(append(test.files, "SLIPWAY_DATABASE_URL=postgres://u@db/slipway", "SLIPWAY_BUILDKIT_ADDR="+test.addr))
		if test.fault == "" {
			require.NoError(t, err, name)
			continue
		}
		var faults config.Faults
		require.ErrorAs(t, err, &faults, name)
		require.Len(t, faults, 1, name)
		require.Equal(t, test.fault, faults[0].Key, name)
	}
}

func TestCodecOrigins(t *testing.T) {
	t.Parallel()
	d, err := config.LoadDev([]string{"SLIPWAY_UI_ADDR=127.0.0.1:9233"})
	require.NoError(t, err)
	require.Equal(t, []string{"http://127.0.0.1:9233"}, d.Temporal.CodecOrigins)
	r, err := config.LoadAPI([]string{"SLIPWAY_DATABASE_URL=postgres://u@db/slipway"})
	require.NoError(t, err)
	require.Empty(t, r.Temporal.CodecOrigins, "anybody who reaches the API can pretend to be such a page")
	for _, bad := range []string{"*", "ui.example.com", "https://ui.example.com/", "https://u@ui.example.com"} {
		_, err := config.LoadAPI([]string{"SLIPWAY_DATABASE_URL=postgres://u@db/slipway", "SLIPWAY_CODEC_ORIGINS=" + bad})
		require.ErrorContains(t, err, "SLIPWAY_CODEC_ORIGINS", bad)
	}
}

// Every field of a configuration must be set by some key: a forgotten one would be its zero value for ever.
func TestEveryFieldHasAKey(t *testing.T) {
	t.Parallel()
	d, err := config.LoadDev([]string{
		"SLIPWAY_DATABASE_URL=postgres://u@h/d", "SLIPWAY_POSTGRES_BIN_DIR=x", "SLIPWAY_GIT_ALLOW_NETS=10.0.0.0/8", "SLIPWAY_BUILD_PRIVATE_NETWORKS=10.0.0.0/8", "SLIPWAY_PREVIEW_SERVICES=10.0.0.5:5432", "SLIPWAY_PREVIEW_RUNTIME=runsc", "SLIPWAY_TRAEFIK_ENTRYPOINTS=web,websecure", "SLIPWAY_PREVIEW_PRIVATE_NETWORKS=10.0.0.0/8", "SLIPWAY_BUILD_CPUS=1.5", "SLIPWAY_REGISTRY_AUTH_FILE=x", "SLIPWAY_RAILPACK=x", "SLIPWAY_RAILPACK_FRONTEND=x.example/f",
		"SLIPWAY_KEYSET_KMS=aws-kms://arn:aws:kms:eu-west-1:111122223333:key/1", "SLIPWAY_PLAN_OVERRIDES=x", "SLIPWAY_DOCKER_HOST=unix:///x", "SLIPWAY_BUILDKIT_ADDR=tcp://x:1", "SLIPWAY_IMAGES_DIR=x",
		"SLIPWAY_BUILDKIT_CA_FILE=x", "SLIPWAY_BUILDKIT_CERT_FILE=x", "SLIPWAY_BUILDKIT_KEY_FILE=x", "SLIPWAY_REGISTRY_PLAIN_HTTP=true",
		"SLIPWAY_DATABASE_PASSWORD_FILE=" + passwordFile(t, "p"),
		"SLIPWAY_DOCKER_MIRROR=true", "SLIPWAY_GIT_ACCEPT_NEW_HOST_KEYS=true", "SLIPWAY_BIN_DIR=x", "SLIPWAY_LOG_LEVEL=warn",
		"SLIPWAY_TEMPORAL_ENCRYPTION=true", "SLIPWAY_WORKER_BUILD_ID=1.4.0", "SLIPWAY_WORKER_CONTROL_ONLY=true",
		"SLIPWAY_OTLP_ENDPOINT=http://x:4318", "SLIPWAY_BUILD_SLOTS_PER_PROJECT=3", "SLIPWAY_DISK_DIRS=/x",
		"SLIPWAY_TRUSTED_PROXIES=10.0.0.0/8", "SLIPWAY_MAX_REQUEST_BODY=1GB", "SLIPWAY_REGISTRY_CACHE=true", "SLIPWAY_ACCESS_LOG=all", "SLIPWAY_DNS_SERVERS=192.0.2.53:53",
	})
	require.NoError(t, err)
	v := reflect.ValueOf(d)
	for i := range v.NumField() {
		part := v.Field(i)
		require.False(t, part.IsZero(), v.Type().Field(i).Name)
		for j := 0; part.Kind() == reflect.Struct && j < part.NumField(); j++ {
			require.False(t, part.Field(j).IsZero(), "%s.%s", v.Type().Field(i).Name, part.Type().Field(j).Name)
		}
	}
}

func TestDocumentIsFresh(t *testing.T) {
	t.Parallel()
	const path = "../../docs/configuration.md"
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(config.Document()), 0o644))
	}
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, config.Document(), string(b), "run: go test ./internal/config -run Document -update")
}

// What a machine is looked at with takes the addresses of its roles, which slipway-dev refuses.
func TestLoadMachine(t *testing.T) {
	t.Parallel()
	environ := []string{"SLIPWAY_API_ADDR=0.0.0.0:8080", "SLIPWAY_DATA_DIR=/var/lib/slipway"}
	_, err := config.LoadDev(environ)
	require.Error(t, err)
	m, err := config.LoadMachine(environ)
	require.NoError(t, err)
	require.Equal(t, "0.0.0.0:8080", m.API.Addr)
	require.Equal(t, "/var/lib/slipway/workspaces", m.Worker.WorkspaceDir, "what depends on others is filled in")
	require.Equal(t, []string{"unix://" + m.SocketDir() + "/buildkitd.sock"}, m.Builders())
	_, err = config.LoadMachine([]string{"SLIPWAY_API_ADDR=nowhere"})
	require.ErrorContains(t, err, "SLIPWAY_API_ADDR")
}

func TestEachRoleHasAnOpsListenerOfItsOwn(t *testing.T) {
	t.Parallel()
	environ := []string{"SLIPWAY_DATABASE_URL=postgres://u@db/slipway", "SLIPWAY_BUILDKIT_ADDR=tcp://builder:1234"}
	a, err := config.LoadAPI(environ)
	require.NoError(t, err)
	w, err := config.LoadWorker(environ)
	require.NoError(t, err)
	g, err := config.LoadGateway(environ)
	require.NoError(t, err)
	require.Equal(t, []string{"127.0.0.1:9101", "127.0.0.1:9102", "127.0.0.1:9103"},
		[]string{a.Telemetry.OpsAddr, w.Telemetry.OpsAddr, g.Telemetry.OpsAddr})

	d, err := config.LoadDev([]string{"SLIPWAY_OPS_ADDR="})
	require.NoError(t, err)
	require.Empty(t, d.Telemetry.OpsAddr)
	for _, s := range d.Servers() {
		require.NotEmpty(t, s.Addr, s.Key)
	}
	_, err = config.LoadDev([]string{"SLIPWAY_OPS_ADDR=0.0.0.0:9101", "SLIPWAY_OTLP_ENDPOINT=127.0.0.1:4318"})
	require.ErrorContains(t, err, "loopback only")
	require.ErrorContains(t, err, "SLIPWAY_OTLP_ENDPOINT")
}
