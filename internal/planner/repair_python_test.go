package planner_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestRepair_PythonStart(t *testing.T) {
	t.Parallel()
	const (
		flask   = "from flask import Flask\n\napp = Flask(__name__)\n"
		fastapi = "from fastapi import FastAPI\n\nserver: FastAPI = FastAPI(title=\"x\")\n"
		guarded = "\nif __name__ == \"__main__\":\n    app.run(debug=True)\n"
	)
	requires := func(files map[string]string, names string) map[string]string {
		files["requirements.txt"] = names
		return files
	}
	tests := map[string]struct {
		files    map[string]string
		start    string
		installs string
		at       string
	}{
		"flask":                  {requires(map[string]string{"app.py": flask}, "Flask==3.1.0\n"), "gunicorn --bind 0.0.0.0:$PORT app:app", "gunicorn==23.0.0", "app.py:3"},
		"flask with gunicorn":    {requires(map[string]string{"app.py": flask}, "flask\ngunicorn\n"), "gunicorn --bind 0.0.0.0:$PORT app:app", "", "app.py:3"},
		"perhaps with gunicorn":  {requires(map[string]string{"app.py": flask, "base.txt": "gunicorn"}, "-r base.txt\nflask\n"), "gunicorn --bind 0.0.0.0:$PORT app:app", "", "app.py:3"},
		"flask in another file":  {requires(map[string]string{"app.py": flask, "base.txt": "-r web.txt", "web.txt": "flask"}, "-r base.txt\n"), "gunicorn --bind 0.0.0.0:$PORT app:app", "gunicorn==23.0.0", "app.py:3"},
		"flask in a pyproject":   {map[string]string{"pyproject.toml": "[project]\nname = \"shop\"\nversion = \"1\"\ndependencies = [\n  \"flask>=3\",\n]\n", "wsgi.py": flask}, "gunicorn --bind 0.0.0.0:$PORT wsgi:app", "gunicorn==23.0.0", "wsgi.py:3"},
		"flask in a Pipfile":     {map[string]string{"Pipfile": "[packages]\nflask = \"*\"\n", "app.py": flask}, "gunicorn --bind 0.0.0.0:$PORT app:app", "gunicorn==23.0.0", "app.py:3"},
		"fastapi":                {requires(map[string]string{"api.py": fastapi}, "fastapi\n"), "uvicorn --host 0.0.0.0 --port $PORT api:server", "uvicorn==0.33.0", "api.py:3"},
		"fastapi brings its own": {requires(map[string]string{"api.py": fastapi}, "fastapi[standard]\n"), "uvicorn --host 0.0.0.0 --port $PORT api:server", "", "api.py:3"},
		"starlette":              {requires(map[string]string{"app.py": "app = Starlette(routes=[])\n"}, "starlette\n"), "uvicorn --host 0.0.0.0 --port $PORT app:app", "uvicorn==0.33.0", "app.py:1"},
		"a package":              {requires(map[string]string{"shop/__init__.py": "", "shop/main.py": fastapi}, "fastapi\n"), "uvicorn --host 0.0.0.0 --port $PORT shop.main:server", "uvicorn==0.33.0", "shop/main.py:3"},
		"a package by its use":   {requires(map[string]string{"app/main.py": "from app import db\n" + fastapi}, "fastapi\n"), "uvicorn --host 0.0.0.0 --port $PORT app.main:server", "uvicorn==0.33.0", "app/main.py:4"},
		"a folder":               {requires(map[string]string{"src/main.py": fastapi}, "fastapi\n"), "uvicorn --host 0.0.0.0 --port $PORT --app-dir src main:server", "uvicorn==0.33.0", "src/main.py:3"},
		"a factory":              {requires(map[string]string{"shop/__init__.py": "def create_app():\n    app = Flask(__name__)\n    return app\n"}, "flask\n"), `gunicorn --bind 0.0.0.0:$PORT "shop:create_app()"`, "gunicorn==23.0.0", "shop/__init__.py:1"},
		"a factory that is called": {
			requires(map[string]string{"run.py": "from shop import create_app\n\napp = create_app()\n", "shop/__init__.py": "def create_app():\n    app = Flask(__name__)\n"}, "flask\n"),
			"gunicorn --bind 0.0.0.0:$PORT run:app", "gunicorn==23.0.0", "run.py:3",
		},
		"django in a folder": {
			requires(map[string]string{"site/manage.py": "", "site/shop/__init__.py": "", "site/shop/wsgi.py": "application = get_wsgi_application()\n", "site/shop/asgi.py": "application = get_asgi_application()\n"}, "Django\n"),
			"gunicorn --bind 0.0.0.0:$PORT --chdir site shop.wsgi:application", "gunicorn==23.0.0", "site/shop/wsgi.py:1",
		},
		"django": {
			requires(map[string]string{"manage.py": "", "shop/settings.py": "WSGI_APPLICATION = 'shop.wsgi.application'\n"}, "Django\n"),
			"python manage.py migrate && gunicorn shop.wsgi", "gunicorn==23.0.0", "requirements.txt",
		},
		"a Procfile without the server":   {requires(map[string]string{"x.py": flask, "Procfile": "web: gunicorn x:app\n"}, "flask\n"), "gunicorn x:app", "gunicorn==23.0.0", "requirements.txt"},
		"main.py makes it and is no more": {requires(map[string]string{"main.py": fastapi}, "fastapi\n"), "uvicorn --host 0.0.0.0 --port $PORT main:server", "uvicorn==0.33.0", "main.py:3"},
		"main.py serves only itself":      {requires(map[string]string{"main.py": flask + guarded}, "flask\n"), "gunicorn --bind 0.0.0.0:$PORT main:app", "gunicorn==23.0.0", "main.py:3"},
		"a module that is not there":      {map[string]string{"pyproject.toml": "[project]\nname = \"shop\"\nversion = \"1\"\ndependencies = [\"flask\"]\n", "app.py": flask}, "gunicorn --bind 0.0.0.0:$PORT app:app", "gunicorn==23.0.0", "app.py:3"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, dockerfile, err := newPlanner(t).Plan(t.Context(), writeRepo(t, test.files), deployment.Project{}, nil)
			require.NoError(t, err)
			require.Equal(t, test.start, plan.StartCommand)
			if test.installs == "" {
				require.NotContains(t, dockerfile, "==")
			} else {
				require.Contains(t, dockerfile, "RUN . /opt/venv/bin/activate && pip install "+test.installs+"\n")
				require.Contains(t, plan.Warnings[0].Fix, test.installs)
			}
			require.Equal(t, "repair.python_start "+test.at, place(plan.Warnings[0]))
			require.NotContains(t, codes(plan), "python.no_wsgi_server")
			require.NotContains(t, codes(plan), "start.no_port")
			parse(t, dockerfile)
		})
	}
}

func TestRepair_PythonStart_OnlyWhatIsCertain(t *testing.T) {
	t.Parallel()
	const main = "app = Flask(__name__)\nif __name__ == '__main__':\n"
	flask := func(file, text string) map[string]string {
		return map[string]string{"requirements.txt": "flask\n", file: text}
	}
	off := deployment.Project{Build: deployment.BuildSettings{Repairs: deployment.RepairsOff}}
	tests := map[string]struct {
		files   map[string]string
		project deployment.Project
		start   string // what is started anyway
		warns   string
	}{
		"repairs are off":          {flask("app.py", "app = Flask(__name__)\n"), off, "", ""},
		"no app":                   {flask("app.py", "import flask\n"), deployment.Project{}, "", ""},
		"another framework":        {map[string]string{"requirements.txt": "aiohttp\n", "app.py": "app = Flask(__name__)\n"}, deployment.Project{}, "", ""},
		"two apps of one rank":     {map[string]string{"requirements.txt": "flask\n", "a.py": "app = Flask(__name__)\n", "b.py": "app = Flask(__name__)\n"}, deployment.Project{}, "", ""},
		"an app of a test":         {flask("tests/app.py", "app = Flask(__name__)\n"), deployment.Project{}, "", ""},
		"another install":          {flask("app.py", "app = Flask(__name__)\n"), deployment.Project{InstallCommand: "python -m venv /opt/venv && pip install flask"}, "", ""},
		"main.py serves everybody": {flask("main.py", main+"    app.run(host='0.0.0.0', port=int(os.environ['PORT']))\n"), deployment.Project{}, "python main.py", ""},
		"main.py on the port":      {flask("main.py", main+"    app.run(host='0.0.0.0', port=8000)\n"), deployment.Project{Port: 8000}, "python main.py", ""},
		"main.py prepares first":   {flask("main.py", main+"    db.create_all()\n    app.run()\n"), deployment.Project{}, "python main.py", "start.no_port main.py:4"},
		"the Procfile's script":    {map[string]string{"requirements.txt": "flask\n", "app.py": main + "    app.run(port=8000)\n", "Procfile": "web: python app.py\n"}, deployment.Project{}, "python app.py", "start.no_port app.py:3"},
		"the project's script":     {flask("app.py", main+"    app.run()\n"), deployment.Project{StartCommand: "python app.py"}, "python app.py", "start.no_port app.py:3"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, _, err := newPlanner(t).Plan(t.Context(), writeRepo(t, test.files), test.project, nil)
			if test.start == "" {
				requireFailure(t, err, deployment.ClassUser, "plan.no_start_command")
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.start, plan.StartCommand)
			require.NotContains(t, codes(plan), "repair.python_start")
			if test.warns == "" {
				require.NotContains(t, codes(plan), "start.no_port")
				return
			}
			require.Equal(t, test.warns, place(plan.Warnings[0]))
		})
	}
}
