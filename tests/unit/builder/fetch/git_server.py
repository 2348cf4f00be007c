# SPDX-License-Identifier: Apache-2.0
"""git_server.py ROOT LOG: git repositories over HTTP, until standard input ends.

Prints four ports on a line. The last but one speaks the protocol git://, the last is as the first by https, with
the certificate ROOT/cert.pem and the key ROOT/key.pem. On the others:
/smart/NAME     git http-backend with ROOT        /dumb/NAME      the files of ROOT
/private/NAME   smart, for those who send the Authorization that the file ROOT/authorization holds
/moved/NAME     a redirect to /smart/NAME of the other port
/echo/NAME      an error that repeats the Authorization it got
/hang/NAME      no answer
/old/NAME       smart without protocol version 2: objects only by what branches and tags lead to
Each request is a line of LOG: port number (0, 1, or s), method, path, Authorization or "-".
"""
import http.server
import os
import socket
import ssl
import subprocess
import sys
import threading
import time

ROOT, LOG = sys.argv[1], sys.argv[2]
PORTS = []
LOCK = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, code, body=b"", headers=()):
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return body

    def smart(self, path, query, body, version=True):
        env = dict(os.environ, GIT_PROJECT_ROOT=ROOT, GIT_HTTP_EXPORT_ALL="1", PATH_INFO=path, QUERY_STRING=query,
                   REQUEST_METHOD=self.command, CONTENT_TYPE=self.headers.get("Content-Type", ""),
                   CONTENT_LENGTH=str(len(body)), REMOTE_ADDR="127.0.0.1", GIT_CONFIG_COUNT="1",
                   GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*",
                   HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""))
        if version and self.headers.get("Git-Protocol"):
            env["GIT_PROTOCOL"] = self.headers["Git-Protocol"]
        done = subprocess.run(["git", "http-backend"], input=body, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, env=env, check=False)
        head, _, data = done.stdout.partition(b"\r\n\r\n")
        code, headers = 200, []
        for line in head.decode("latin1").split("\r\n"):
            name, _, value = line.partition(":")
            if name.lower() == "status":
                code = int(value.split()[0])
            elif name:
                headers.append((name, value.strip()))
        self.answer(code, data, headers)

    def dumb(self, path):
        try:
            with open(ROOT + path, "rb") as f:
                self.answer(200, f.read())
        except OSError:
            self.answer(404)

    def do_GET(self):
        body = self.read_body()
        path, _, query = self.path.partition("?")
        _, kind, rest = path.split("/", 2)
        rest = "/" + rest
        auth = self.headers.get("Authorization")
        port = self.server.server_port
        number = PORTS.index(port) if port in PORTS else "s"
        with LOCK, open(LOG, "a", encoding="latin1") as log:
            log.write(f"{number} {self.command} {path} {auth or '-'}\n")
        if kind == "private":
            with open(ROOT + "/authorization", encoding="latin1") as f:
                if auth != f.read().strip():
                    self.answer(401, b"no: %r" % auth, [("WWW-Authenticate", 'Basic realm="x"')])
                    return
        if kind in ("smart", "private", "old"):
            self.smart(rest, query, body, kind != "old")
        elif kind == "dumb":
            self.dumb(rest)
        elif kind == "moved":
            other = PORTS[1 - PORTS.index(self.server.server_port)]
            self.answer(302, headers=[("Location", f"http://127.0.0.1:{other}/smart{rest}?{query}")])
        elif kind == "echo":
            text = b"ERR you sent %s\x1b[31m\n" % (auth or "nothing").encode("latin1")
            line = b"%04x%s" % (len(text) + 4, text)
            self.answer(200, b"001e# service=git-upload-pack\n0000" + line,
                        [("Content-Type", "application/x-git-upload-pack-advertisement")])
        elif kind == "hang":
            time.sleep(60)
        else:
            self.answer(404)

    do_POST = do_HEAD = do_GET


for _ in range(2):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    PORTS.append(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def daemon(listener):
    while True:
        connection, _ = listener.accept()
        with connection:
            subprocess.Popen(["git", "daemon", "--inetd", "--export-all", "--base-path=" + ROOT],
                             stdin=connection, stdout=connection, stderr=subprocess.DEVNULL,
                             env=dict(os.environ, GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory",
                                      GIT_CONFIG_VALUE_0="*"))


git_listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=daemon, args=(git_listener,), daemon=True).start()
secure = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
secure.daemon_threads = True
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(ROOT + "/cert.pem", ROOT + "/key.pem")
secure.socket = context.wrap_socket(secure.socket, server_side=True)
threading.Thread(target=secure.serve_forever, daemon=True).start()
print(*PORTS, git_listener.getsockname()[1], secure.server_port, flush=True)
sys.stdin.read()
os._exit(0)
