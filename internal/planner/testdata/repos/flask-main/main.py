from flask import Flask

app = Flask(__name__)


@app.get("/")
def home():
    return "served to everybody\n"


if __name__ == "__main__":
    app.run(debug=True)
