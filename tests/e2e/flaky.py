#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""flaky.py PORT LOG [--seed N] [--fail PERCENT] [--cut PERCENT] [--hold N --when before|after]

A proxy on a free port of 127.0.0.1, which goes to standard output, before the server on PORT. It refuses
so many of a hundred requests (a status of its own, or no answer at all) and cuts so many transfers at a
place of its choice, by chance that begins with the seed. The Nth request is held: it is not answered,
either before the server has seen it or after. Each request is a line of LOG: METHOD PATH WHAT, where WHAT
is the server's status or what was done to it.
"""
import argparse, http.client, http.server, itertools, random, socket, threading, time

ask = argparse.ArgumentParser()
ask.add_argument("port", type=int)
ask.add_argument("log", type=argparse.FileType("a"))
ask.add_argument("--seed", type=int, default=1)
ask.add_argument("--fail", type=int, default=0)
ask.add_argument("--cut", type=int, default=0)
ask.add_argument("--hold", type=int, default=0)
ask.add_argument("--when", choices=["before", "after"], default="before")
options = ask.parse_args()
chance = random.Random(options.seed)
numbers = itertools.count(1)
lock = threading.Lock()

REFUSALS = [(500, {}), (502, {}), (503, {"Retry-After": "0"}), (429, {"Retry-After": "0"}), (408, {}), None]
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"}
PIECE = 1 << 16


class Cut(Exception):
    """Both connections end here."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # an answer is two writes: without this the second waits for the client's delayed acknowledgement
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def note(self, what):
        with lock:
            options.log.write(f"{self.command} {self.path} {what}\n")
            options.log.flush()

    def plan(self):
        """What happens to this request: its number, a refusal or False, and whether it is cut."""
        with lock:
            refusal = chance.choice(REFUSALS) if chance.randrange(100) < options.fail else False
            return next(numbers), refusal, chance.randrange(100) < options.cut

    def chunks(self):
        """The request's body, piece by piece."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length", 0))
        while left > 0 and (piece := self.rfile.read(min(left, PIECE))):
            left -= len(piece)
            yield piece

    def refuse(self, refusal):
        for _ in self.chunks():
            pass
        if refusal is None:
            self.note("hung up")
            raise Cut
        status, headers = refusal
        self.note(f"refused {status}")
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def hold(self):
        self.note("held")
        while self.connection.recv(1, socket.MSG_PEEK):
            time.sleep(0.01)
        raise Cut

    def limit(self, cut, size):
        """How many bytes of a body pass."""
        if not cut or size <= 0:
            return None
        with lock:
            return chance.randrange(size)

    def limited(self, pieces, limit):
        for piece in pieces:
            if limit is not None and len(piece) > limit:
                yield piece[:limit]
                self.note("cut")
                raise Cut
            limit = limit if limit is None else limit - len(piece)
            yield piece

    def forward(self, server, cut):
        size = int(self.headers.get("Content-Length", 0))
        server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP_BY_HOP | {"expect"}:
                server.putheader(name, value)
        chunked = "Transfer-Encoding" in self.headers
        if chunked:
            server.putheader("Transfer-Encoding", "chunked")
        server.endheaders()
        for piece in self.limited(self.chunks(), self.limit(cut, size)):
            server.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            server.send(b"0\r\n\r\n")
        return server.getresponse()

    def answer(self, response, cut):
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in HOP_BY_HOP | {"date", "server"}:
                self.send_header(name, value)
        self.end_headers()
        size = int(response.getheader("Content-Length", 0))
        pieces = iter(lambda: response.read(PIECE), b"")
        for piece in self.limited(pieces, self.limit(cut and self.command == "GET", size)):
            self.wfile.write(piece)

    def serve(self):
        number, refusal, cut = self.plan()
        if refusal is not False:
            return self.refuse(refusal)
        if number == options.hold and options.when == "before":
            self.hold()
        server = http.client.HTTPConnection("127.0.0.1", options.port)
        try:
            response = self.forward(server, cut)
            if number == options.hold:
                self.hold()
            self.note(response.status)
            self.answer(response, cut)
        finally:
            server.close()

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (Cut, OSError, http.client.HTTPException):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


server = Server(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
