#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""web.py DIR LOG: serve the files of DIR on a free port of 127.0.0.1, which goes to standard output.

Each request is a line of LOG: METHOD PATH STATUS USER, where USER is what its credentials say or "-".
Files have an ETag and, unless their path begins with /untimed/, a Last-Modified. /private/ is for
user:s3cr1t alone, /slow/ never ends, /moved/X leads to /X, /zipped/ is sent in gzip, asked for or not.
"""
import base64, email.utils, gzip, hashlib, http.server, os, sys, time

root, log = os.path.realpath(sys.argv[1]), open(sys.argv[2], "a", buffering=1)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def user(self):
        kind, _, value = (self.headers.get("Authorization") or "").partition(" ")
        return base64.b64decode(value).decode() if kind == "Basic" else value or "-"

    def answer(self, status, headers=(), body=b""):
        log.write(f"{self.command} {self.path} {status} {self.user()}\n")
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status != 304:
            self.wfile.write(body)

    def slow(self):
        log.write(f"{self.command} {self.path} 200 {self.user()}\n")
        self.send_response(200)
        self.send_header("Content-Length", str(1 << 30))
        self.end_headers()
        while True:
            self.wfile.write(b"x" * 1000)
            time.sleep(0.01)

    def do_GET(self):
        path = self.path.split("?")[0]
        file = os.path.realpath(root + path)
        if path.startswith("/slow/"):
            return self.slow()
        if path.startswith("/moved/"):
            return self.answer(302, [("Location", path.removeprefix("/moved"))])
        if path.startswith("/private/") and self.user() != "user:s3cr1t":
            return self.answer(401, [("WWW-Authenticate", 'Basic realm="x"')])
        if not file.startswith(root) or not os.path.isfile(file):
            return self.answer(404)
        with open(file, "rb") as opened:
            body = opened.read()
        headers = [("ETag", '"%s"' % hashlib.sha256(body).hexdigest()[:20])]
        if not path.startswith("/untimed/"):
            modified = email.utils.formatdate(os.stat(file).st_mtime, usegmt=True)
            headers.append(("Last-Modified", modified))
        if path.startswith("/zipped/"):
            body = gzip.compress(body)
            headers.append(("Content-Encoding", "gzip"))
        if self.headers.get("If-None-Match") == headers[0][1]:
            return self.answer(304, headers)
        return self.answer(200, headers, body)

    do_HEAD = do_GET


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):  # who is cancelled hangs up
        pass


server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
