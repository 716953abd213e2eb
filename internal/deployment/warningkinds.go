package deployment

// WarningKinds returns every kind of warning there is, in the order of docs/warnings.md, which is written from it. A kind that
// breaks builds or surprises is a warning; what is only good to know is info.
func WarningKinds() []WarningKind {
	return []WarningKind{
		{
			"provider.shadowed", SeverityWarning, "the repository holds manifests of two languages and only the first is built",
			"package.json beside requirements.txt: Node is built, Python is not",
			"set root_dir to the folder of the app, pin providers in nixpacks.toml, or add a Dockerfile",
		},
		{
			"provider.nested_evidence", SeverityWarning, "the language was chosen for a file in a sub-folder",
			"tools/report/report.csproj makes a Node repository .NET",
			`pin the language in nixpacks.toml, e.g. providers = ["node"], or set root_dir to the folder of the file`,
		},
		{
			"provider.subdir", SeverityWarning, "files of the root are served while an app stands in a sub-folder",
			"public/index.html is served, api/package.json is not built",
			"set root_dir to the sub-folder, or the builder to static",
		},
		{
			"node.version_defaulted", SeverityWarning, "nothing asks for a version of Node",
			"a package.json without engines.node and no .nvmrc",
			`set engines.node in package.json, e.g. "22", or add an .nvmrc`,
		},
		{
			"node.version_unavailable", SeverityWarning, "nixpacks does not have the version of Node that is asked for and takes another",
			`engines.node "23": Node 18 is installed`,
			"ask for a version that nixpacks has (14, 16, 18, 20, 22 or 24), or add a Dockerfile",
		},
		{
			"node.version_floating", SeverityInfo, "the range has no upper end, so the version of Node rises with nixpacks",
			`engines.node ">=18": Node 24 is installed`,
			`name one version, e.g. "22"`,
		},
		{
			"version.eol", SeverityWarning, "the version of the language gets no security fixes any more",
			`engines.node "18", FROM python:3.8`,
			"ask for a version that is maintained",
		},
		{
			"pm.multiple_lockfiles", SeverityWarning, "the lock files of several package managers contradict each other",
			"package-lock.json beside yarn.lock",
			"keep the lock file of the one that you use",
		},
		{
			"pm.install_mismatch", SeverityWarning, "packages are installed by another package manager than the repository asks for",
			"packageManager bun with a package-lock.json: npm ci",
			"remove the other's lock file, or correct packageManager",
		},
		{
			"pm.frozen_without_lock", SeverityWarning, "the install command needs a lock file that the repository does not have",
			"packageManager pnpm without a pnpm-lock.yaml",
			"commit the lock file",
		},
		{
			"pm.version_guess", SeverityWarning, "nothing names the version of the package manager, and the guess may be wrong",
			"a yarn.lock of Yarn 4 without packageManager: Yarn 1 is installed",
			`set packageManager in package.json, e.g. "pnpm@10.0.0"`,
		},
		{
			"spa.start_overridden", SeverityWarning, "the front end is served as files, so the start script never runs",
			"Vite and React with a start script that runs an Express server",
			`set start_command, e.g. "npm run start"`,
		},
		{
			"start.missing", SeverityWarning, "nothing says what to start, and the base image starts no server",
			"FROM debian:bookworm without CMD",
			"add a CMD to the Dockerfile",
		},
		{
			"start.dev_server", SeverityWarning, "the start command runs a development server",
			"react-scripts start, vite, flask run",
			"build the app and start what serves the result",
		},
		{
			"start.signals", SeverityInfo, "the shell stays in front of the app, which may not hear that it is to stop",
			"CMD node server.js, nginx & php-fpm",
			`write CMD as an array, e.g. ["node", "server.js"], or a start command that ends in one program`,
		},
		{
			"start.no_port", SeverityWarning, "the app listens on a port of its own, or nothing says which one",
			"uvicorn main:app listens on 127.0.0.1:8000",
			"listen on 0.0.0.0:$PORT, add EXPOSE, or set the port of the project",
		},
		{
			"python.requires_python_ignored", SeverityWarning, "nixpacks does not read requires-python and installs a version that it excludes",
			`requires-python ">=3.13" with .python-version 3.11`,
			"name the version in .python-version",
		},
		{
			"python.env_ignored", SeverityWarning, "NIXPACKS_PYTHON_VERSION does nothing beside a file that names a version",
			"runtime.txt beside NIXPACKS_PYTHON_VERSION in nixpacks.toml",
			"name the version in .python-version",
		},
		{
			"python.no_wsgi_server", SeverityWarning, "the start command runs a server that nothing installs",
			"Django without gunicorn in requirements.txt",
			"add the server to the requirements",
		},
		{
			"go.version_fallback", SeverityWarning, "nixpacks does not have the version of Go that go.mod asks for",
			"go 1.25: Go 1.22 is installed",
			"ask for a version that nixpacks knows (1.18 to 1.23, without a patch number), or add a Dockerfile",
		},
		{
			"go.multiple_cmd", SeverityWarning, "several commands could be built; the first by name is",
			"cmd/migrate and cmd/server: migrate is built",
			"set NIXPACKS_GO_BIN in nixpacks.toml to the name of the one to build",
		},
		{
			"java.version_ignored", SeverityWarning, "the build asks for a newer Java than nixpacks installs",
			"java.version 21 in pom.xml: JDK 17 is installed",
			"set NIXPACKS_JDK_VERSION in nixpacks.toml",
		},
		{
			"php.version_substring", SeverityWarning, "the version of PHP is the first that the constraint mentions, not the one that it means",
			"^8.0|^8.3: PHP 8.0 is installed",
			`write one version, e.g. "^8.3"`,
		},
		{
			"release.at_build", SeverityWarning, "a phase that the repository's nixpacks configuration calls release runs while the image is built",
			"[phases.release] in nixpacks.toml",
			"take the phase out of there and set release_command on the project, or write a release line into the Procfile",
		},
		{
			"release.ignored", SeverityWarning, "the Procfile's release command is not run",
			"a release line beside a Dockerfile",
			"set release_command on the project if the image can run it, else take the line out",
		},
		{
			"db.at_build", SeverityWarning, "the build changes a database, which a build does not reach",
			"prisma migrate deploy in the build script",
			"set it as the release_command of the project",
		},
		{
			"deps.substring_match", SeverityInfo, "packages are installed because a word stands somewhere in a manifest",
			`"sharp" in a description`,
			"change the word, or set the packages of phases.setup in nixpacks.toml",
		},
		{
			"config.unknown_key", SeverityWarning, "nixpacks does not know a key of its configuration",
			"[phases.instal]",
			"correct its name or remove it",
		},
		{
			"secret.baked", SeverityWarning, "a value that looks like a secret becomes part of the image",
			"ENV API_TOKEN=..., ARG NPM_TOKEN",
			"set it as a variable of the project and mount it: RUN --mount=type=secret,id=NAME,env=NAME",
		},
		{
			"public_env.baked", SeverityInfo, "a variable is compiled into what browsers load",
			"NEXT_PUBLIC_API_KEY, VITE_TOKEN",
			"put nothing secret into it",
		},
		{
			"context.no_dockerignore", SeverityInfo, "the Dockerfile copies everything and no .dockerignore leaves something out",
			"COPY . .",
			"add a .dockerignore",
		},
		{
			"context.env_file_ignored", SeverityWarning, "a file of variables is kept out of builds and images",
			".env.production",
			"set what it holds as variables of the project",
		},
		{
			"overlay.unpinned", SeverityInfo, "the build fetches the newest state of a package set, whatever that is",
			"nixpkgs overlay .../archive/main.tar.gz",
			"name the version of the package manager in a Dockerfile of your own if builds have to be repeatable",
		},
		{
			"egress.unreachable", SeverityWarning, "the build has no network and needs one",
			"build_network none and npm ci",
			"set build_network to sandbox, or keep what is installed in the repository",
		},
		{
			"dockerfile.commands_ignored", SeverityWarning, "the project's commands do nothing beside a Dockerfile",
			"start_command with builder dockerfile",
			"remove the commands, or set the builder to nixpacks",
		},
		{
			"static.ignored", SeverityWarning, "settings for served files do nothing, because the plan serves none",
			"static.spa beside a start command",
			"set static.folder to the folder to serve, or remove static.spa and static.headers",
		},
		{
			"source.link_outside", SeverityWarning, "a link leads out of the root directory",
			"shared -> ../../shared",
			"set root_dir to a folder that holds both, or replace the link by a copy",
		},
		{
			"repair.static_output", SeverityWarning, "the build makes a front end and nothing serves it, so slipway serves its folder",
			"vite build without a start script: dist is served",
			`set static.folder, e.g. "dist" (and static.spa for an app that routes by itself), or start_command`,
		},
		{
			"repair.dev_server", SeverityWarning, "the start script runs a server for development, so slipway serves what the build makes",
			"start: vite preview beside build: vite build: dist is served",
			`set static.folder, e.g. "dist", or start_command`,
		},
		{
			"repair.python_start", SeverityWarning, "nothing starts the Python web app, or a server that nothing installs, so slipway does",
			"app = Flask(__name__) in app.py: gunicorn serves app:app on PORT",
			`write the command into a Procfile, e.g. "web: gunicorn --bind 0.0.0.0:$PORT app:app", and gunicorn into requirements.txt`,
		},
		{
			"repair.go_main", SeverityWarning, "nixpacks would build another command of Go's, or none, so slipway builds the one that serves",
			"cmd/migrate and cmd/server: server is built; a main.go without go.mod; web: bin/shop where nothing builds bin/shop",
			"set NIXPACKS_GO_BIN in nixpacks.toml, or commit a go.mod, or start ./out in the Procfile",
		},
		{
			"repair.dev_dependency", SeverityWarning, "the start script needs a tool that the build would leave out, so development dependencies are installed",
			"start: tsx server.ts with tsx among the devDependencies beside pnpm install --prod",
			"move the tool to the dependencies in package.json",
		},
		{
			"repair.node_version", SeverityWarning, "the version of Node that is asked for is not there, so the nearest is taken",
			`engines.node "23": Node 24 is installed`,
			`ask for a version that is there, e.g. "24"`,
		},
		{
			"repair.node_start", SeverityWarning, "package.json has no start script, or one that would be passed over, so slipway starts the server",
			"server.js listens and no script is called start: node server.js; bun server.js where it calls Bun.serve beside a bun.lock",
			`write a start script into package.json, e.g. "start": "node server.js"`,
		},
		{
			"repair.package_manager", SeverityWarning, "nixpacks or the base image does not bring the package manager that is needed, so npm installs it",
			`packageManager "pnpm@11.2.0": the Corepack of nixpacks runs pnpm up to 10; packageManager "bun@1.3.9", or bun 1.3.9 in .tool-versions; Bun in a base image without it`,
			"set install_command, e.g. \"npm install -g pnpm@11.2.0 && pnpm install --frozen-lockfile\"",
		},
		{
			"repair.static_index", SeverityWarning, "nothing is started and an index.html lies there, so slipway serves its folder",
			"index.html beside a package.json that only brings prettier",
			`set the builder to static, and static.folder, e.g. "docs"`,
		},
		{
			"change.provider", SeverityInfo, "another language or builder than the environment's last deployment",
			"node, before: python",
			"nothing, if it was meant",
		},
		{
			"change.version", SeverityInfo, "another version of a language than the environment's last deployment",
			"node 24, before: 22",
			"name the version in the repository if it was not meant",
		},
		{
			"change.start", SeverityInfo, "another start command than the environment's last deployment",
			"node b.js, before: node a.js",
			"nothing, if it was meant",
		},
		{
			"change.base", SeverityInfo, "another base image than the environment's last deployment",
			"node:24, before: node:22",
			"nothing, if it was meant",
		},
		{
			"release.other_port", SeverityWarning, "the app listens on another port than PORT, which is used since it is the only one",
			"app.listen(8080) with PORT=3000: requests go to 8080",
			"make the app listen on the port in PORT, or set the project's port: it is tried only when PORT has not answered for nearly the whole time of the health check",
		},
		{
			"release.disk_unbounded", SeverityWarning, "the preview host cannot bound what an app writes to its disk",
			"resources.disk_mb 512 with Docker's overlay2 on ext4",
			"keep Docker's data on xfs mounted with pquota, or set resources.disk_mb to 0; slipway keeps room on the disk all the same (SLIPWAY_MIN_FREE_DISK)",
		},
		{
			"image.reused", SeverityInfo, "the image was built for an earlier deployment",
			"a rollback",
			"deploy the commit again to build with the present variables",
		},
	}
}
