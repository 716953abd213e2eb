import os
from http.server import BaseHTTPRequestHandler, HTTPServer

from greeting import greet


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(greet("uv").encode())


HTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
