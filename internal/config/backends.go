package config

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Postgres is the database that people read.
type Postgres struct {
	URL          string // empty in slipway-dev: a private cluster in the data directory; with the password once loaded
	PasswordFile string // empty: the URL has the password, or needs none
	BinDir       string // of initdb and postgres; empty: found on this machine
	Keyset       string // file of the keys that encrypt secrets; empty for a role that needs none
	KeysetKMS    string // key in AWS KMS that wraps that file; empty: the keys lie there in clear
}

func (p *Postgres) keys(check func(string) error) []key {
	return []key{
		{
			env: "SLIPWAY_DATABASE_URL", path: "postgres.url", value: text(&p.URL, check), secret: true,
			doc: "Postgres 15 or newer, as `postgres://user:password@host:5432/database`. slipway-dev runs a private cluster when it is empty.",
		},
		{
			env: "SLIPWAY_DATABASE_PASSWORD_FILE", path: "postgres.password_file", value: text(&p.PasswordFile),
			doc: "File that holds the password of the user in `SLIPWAY_DATABASE_URL`, such as a secret of Docker's or a credential of systemd's.",
		},
		{
			env: "SLIPWAY_POSTGRES_BIN_DIR", path: "postgres.bin_dir", value: text(&p.BinDir),
			doc: "Folder of `initdb` and `postgres` for the private cluster; empty for the newest version installed.",
		},
		{
			env: "SLIPWAY_KEYSET_FILE", path: "postgres.keyset_file", value: text(&p.Keyset),
			doc: "File of the keys that encrypt the values of env vars, git credentials and what `SLIPWAY_TLS=acme` and `internal` store: certificates with their keys, accounts at CAs, the installation's own CA. " +
				"The same for every role, gateways that issue certificates among them; made when it is missing. Empty for `keyset.json` in the data directory.",
		},
		{
			env: "SLIPWAY_KEYSET_KMS", path: "postgres.keyset_kms",
			value: text(&p.KeysetKMS, optional(matching(kmsKeyPattern, "give the ARN of a key or an alias in AWS KMS as aws-kms://arn:aws:kms:<region>:<account>:key/<id>"))),
			doc:   "Symmetric key in AWS KMS that wraps `SLIPWAY_KEYSET_FILE`, as `aws-kms://arn:aws:kms:<region>:<account>:key/<id>`, the same for every role. Credentials are found as the AWS SDK does (`AWS_*`, a profile, the machine's role); they need `kms:Encrypt` and `kms:Decrypt`. `slipway admin keys wrap` wraps a file that there is already. Empty: the file is not wrapped.",
		},
	}
}

// settle puts the password of the file into the URL.
func (p *Postgres) settle() Faults {
	if p.PasswordFile == "" {
		return nil
	}
	fault := Fault{Key: "SLIPWAY_DATABASE_PASSWORD_FILE"}
	password, err := os.ReadFile(p.PasswordFile)
	if err != nil {
		fault.Problem, fault.Fix = err.Error(), "name a file that this account may read"
		return Faults{fault}
	}
	u, err := url.Parse(p.URL)
	if err != nil || u.User.Username() == "" {
		fault.Problem, fault.Fix = "SLIPWAY_DATABASE_URL names no user", "give a URL such as postgres://user@host:5432/slipway"
		return Faults{fault}
	}
	u.User = url.UserPassword(u.User.Username(), strings.TrimRight(string(password), "\r\n"))
	p.URL = u.String()
	return nil
}

// keysIn places the keyset in the data directory unless it has a place of its own.
func (p *Postgres) keysIn(dataDir string) {
	if p.Keyset == "" {
		p.Keyset = filepath.Join(dataDir, "keyset.json")
	}
}

// Temporal is the server that runs the workflows.
type Temporal struct {
	Addr      string        // frontend, host:port
	Namespace string        // of the workflows
	Retention time.Duration // of closed workflows
	UIAddr    string        // where slipway-dev serves the Web UI
	UIURL     string        // base of links to the Web UI, no slash at the end; never empty in slipway-dev once loaded

	Encryption   bool     // what is sent to the server is encrypted
	CodecOrigins []string // web origins that may read it without a token; in slipway-dev the Web UI's
}

func (t *Temporal) keys(addr addrCheck) []key {
	return []key{
		{
			env: "SLIPWAY_TEMPORAL_ADDR", path: "temporal.addr", initial: "127.0.0.1:7233", value: text(&t.Addr, addr),
			doc: "Temporal's frontend. slipway-dev serves it there.",
		},
		{
			env: "SLIPWAY_TEMPORAL_NAMESPACE", path: "temporal.namespace", initial: "default",
			value: text(&t.Namespace, matching(namespacePattern, "give 2 to 63 letters, digits, - or _")),
			doc:   "Namespace of the workflows.",
		},
		{
			env: "SLIPWAY_TEMPORAL_RETENTION", path: "temporal.retention", initial: "720h", value: duration(&t.Retention),
			doc: "How long the history of a finished deploy is kept, an hour at least. A retry after that starts a new history.",
		},
		{
			env: "SLIPWAY_UI_ADDR", path: "temporal.ui_addr", initial: "127.0.0.1:8233", value: text(&t.UIAddr, addr),
			doc: "Where slipway-dev serves Temporal's Web UI.",
		},
		{
			env: "SLIPWAY_TEMPORAL_UI_URL", path: "temporal.ui_url", value: text(&t.UIURL, optional(webURL)),
			doc: "Base of the links to the Web UI. Empty for none; in slipway-dev for its own.",
		},
		{
			env: "SLIPWAY_TEMPORAL_ENCRYPTION", path: "temporal.encryption", initial: "false", value: yesNo(&t.Encryption),
			doc: "Encrypt what is sent to Temporal (inputs, results, summaries, details, memos, heartbeats, failures) with the keys of `SLIPWAY_KEYSET_FILE`. The API then decrypts for the Web UI and the `temporal` command at `/codec`. Set it for every role; deploys under way go on after a change.",
		},
		{
			env: "SLIPWAY_CODEC_ORIGINS", path: "temporal.codec_origins", value: origins(&t.CodecOrigins),
			doc: "Web origins, such as `https://temporal.example.com`, whose pages may use the API's `/codec` without a token. Whoever reaches the API can pretend to be such a page: name one only where nobody else reaches it. Empty: a token is always wanted; in slipway-dev its Web UI.",
		},
	}
}

// check reports what the server would refuse.
func (t *Temporal) check() Faults {
	if t.Retention < time.Hour {
		return Faults{{Key: "SLIPWAY_TEMPORAL_RETENTION", Problem: t.Retention.String() + " is too short", Fix: "give at least 1h"}}
	}
	return nil
}

// Registry is where images are pushed to and pulled from.
type Registry struct {
	Addr      string        // where slipway-dev's registry listens, host:port
	PushHost  string        // as builders reach the registry
	PullHost  string        // as Docker engines reach it
	PlainHTTP bool          // no TLS even off loopback
	AuthFile  string        // logins, as Docker's config.json has them; empty: none
	ImagesDir string        // tarballs that slipway-dev's registry is seeded with; empty: none
	Grace     time.Duration // how long slipway-dev's registry keeps what no tag leads to
}

func (r *Registry) keys(addr addrCheck) []key {
	return []key{
		{
			env: "SLIPWAY_REGISTRY_ADDR", path: "registry.addr", initial: "127.0.0.1:5000", value: text(&r.Addr, addr),
			doc: "The registry's address. slipway-dev serves it there.",
		},
		{
			env: "SLIPWAY_REGISTRY_PUSH_HOST", path: "registry.push_host", value: text(&r.PushHost),
			doc: "The registry as builders reach it, `host[:port]`; empty for its address.",
		},
		{
			env: "SLIPWAY_REGISTRY_PULL_HOST", path: "registry.pull_host", value: text(&r.PullHost),
			doc: "The registry as Docker engines reach it, `host[:port]`; empty for its address.",
		},
		{
			env: "SLIPWAY_REGISTRY_PLAIN_HTTP", path: "registry.plain_http", initial: "false", value: yesNo(&r.PlainHTTP),
			doc: "Push to the registry without TLS although it is not on loopback: for one in a network that nobody else reaches.",
		},
		{
			env: "SLIPWAY_REGISTRY_AUTH_FILE", path: "registry.auth_file", value: text(&r.AuthFile),
			doc: "File with logins of registries for pushes, pulls and private base images, as `docker login` writes it (`config.json`, `auths` only). It is the " +
				"worker's alone, and read anew for each use; builders are told a login while they build. Every project's builds may use base images that it leads to, " +
				"in a private network too. Empty for none.",
		},
		{
			env: "SLIPWAY_IMAGES_DIR", path: "registry.images_dir", value: text(&r.ImagesDir),
			doc: "Folder of base images that slipway-dev puts into its registry at start; empty for none.",
		},
		{
			env: "SLIPWAY_REGISTRY_GRACE", path: "registry.grace", initial: "7h", value: duration(&r.Grace),
			doc: "How long slipway-dev's registry keeps manifests and layers that no tag leads to, from when a client spoke of them last. It must be longer than any push or pull; a build with its push ends within the project's `build_timeout_seconds`, 6 h at most.",
		},
	}
}

// settle lets builders and engines use the registry's address unless they have their own.
func (r *Registry) settle() {
	if r.PushHost == "" {
		r.PushHost = r.Addr
	}
	if r.PullHost == "" {
		r.PullHost = r.Addr
	}
}
