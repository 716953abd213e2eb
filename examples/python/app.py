"""Example "python": a Flask app that gunicorn serves, started by the Procfile."""

import os

from flask import Flask, jsonify

app = Flask(__name__)


@app.get("/")
def index():
    return "Hello from slipway's python example\n", 200, {"Content-Type": "text/plain"}


@app.get("/env/<name>")
def env(name):
    """Tell whether a variable is set; its value only when the name was made for showing."""
    value = os.environ.get(name)
    return jsonify(name=name, set=value is not None, value=value if name.startswith("DEMO_") else None)
