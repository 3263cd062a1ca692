#!/usr/bin/env python3
"""A web server that behaves, and misbehaves, for the tests of fetching: on loopback, until its stdin ends.

    loopback_server.py FOLDER [CERTIFICATE KEY]      prints its port; with a certificate it speaks TLS

The URL is /HOW/FILE, FILE being one of FOLDER (a '/' behind it, as an index's pages have, is not looked at; one that is not there: 404):
    good      ranges, an ETag that is the content's hash
    plain     neither ranges nor ETag
    chunked   no length, but an end; endless: neither
    page      as plain, and says that it is HTML
    cut       breaks off in the middle of what was asked for, unless that is less than 100000 bytes
    shorter   half of the file, as if that were all; longer: ten bytes more
    stall     ten bytes and then nothing; silent: not even a head; drip: a byte each tenth of a second
    loop      redirects to itself; away: to /good/FILE; to?URL: there
    busy      503 twice, then as good; later: 503 for an hour; missing: 404; refused: 403; broken: 500
    slow      as plain, a tenth of a second later; FOLDER/at-once says how many were asked for at one time, at most
    keep      as plain, over a connection that stays open; each connection is a line in FOLDER/connections.log
    wrong206  answers a range with another one; only206: whatever is asked for with a 206 that names none
Each request is a line in FOLDER/requests.log: PATH, Range, If-Range (or -).
"""
import hashlib
import http.server
import os
import socketserver
import ssl
import sys
import threading
import time
import urllib.parse

FOLDER = sys.argv[1]
busy_left = {}
slow_lock = threading.Lock()
slow = [0, 0]  # now, at most


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def setup(self):
        super().setup()
        with open(os.path.join(FOLDER, "connections.log"), "a", encoding="utf-8") as log:
            log.write("%s:%d\n" % self.client_address)

    def do_GET(self):
        with open(os.path.join(FOLDER, "requests.log"), "a", encoding="utf-8") as log:
            log.write("%s %s %s\n" % (self.path, self.headers.get("Range", "-"), self.headers.get("If-Range", "-")))
        how, _, name = self.path.lstrip("/").partition("?")[0].partition("/")
        self.close_connection = True
        try:
            getattr(self, "how_" + how.replace("-", "_"), self.how_missing)(name)
        except FileNotFoundError:
            self.status_only(404)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def content(self, name):
        with open(os.path.join(FOLDER, os.path.basename(urllib.parse.unquote(name.rstrip("/")))), "rb") as f:
            return f.read()

    def head(self, status, *headers):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, str(value))
        self.send_header("Connection", "close")
        self.end_headers()

    def redirect(self, where):
        self.head(302, ("Location", where), ("Content-Length", 0))

    def status_only(self, status, *headers):
        self.head(status, ("Content-Length", 5), *headers)
        self.wfile.write(b"oops\n")

    def ranged(self, name):
        """Sends the head; returns the bytes to send."""
        data = self.content(name)
        tag = '"%s"' % hashlib.sha256(data).hexdigest()[:16]
        wanted = self.headers.get("Range")
        if wanted and self.headers.get("If-Range", tag) == tag:
            start = int(wanted[len("bytes="):].rstrip("-"))
            if start >= len(data):
                self.head(416, ("Content-Range", "bytes */%d" % len(data)), ("Content-Length", 0))
                return b""
            self.head(206, ("ETag", tag), ("Content-Length", len(data) - start),
                      ("Content-Range", "bytes %d-%d/%d" % (start, len(data) - 1, len(data))))
            return data[start:]
        self.head(200, ("ETag", tag), ("Content-Length", len(data)))
        return data

    def how_good(self, name):
        data = self.ranged(name)
        for at in range(0, len(data), 65536):
            self.wfile.write(data[at:at + 65536])

    def how_plain(self, name):
        data = self.content(name)
        self.head(200, ("Content-Length", len(data)))
        self.wfile.write(data)

    def how_page(self, name):
        data = self.content(name)
        self.head(200, ("Content-Length", len(data)), ("Content-Type", "text/html; charset=utf-8"))
        self.wfile.write(data)

    def how_slow(self, name):
        with slow_lock:
            slow[0] += 1
            slow[1] = max(slow)
            with open(os.path.join(FOLDER, "at-once"), "w", encoding="utf-8") as f:
                f.write("%d" % slow[1])
        time.sleep(0.1)
        with slow_lock:
            slow[0] -= 1
        self.how_plain(name)

    def how_keep(self, name):
        data = self.content(name)
        self.close_connection = False
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def how_chunked(self, name):
        data = self.content(name)
        self.head(200, ("Transfer-Encoding", "chunked"))
        for at in range(0, len(data), 5000):
            part = data[at:at + 5000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def how_endless(self, name):
        self.head(200)
        self.wfile.write(self.content(name))

    def how_cut(self, name):
        data = self.ranged(name)
        self.wfile.write(data if len(data) < 100000 else data[:len(data) // 2])

    def how_shorter(self, name):
        data = self.content(name)
        self.head(200, ("Content-Length", len(data) // 2))
        self.wfile.write(data[:len(data) // 2])

    def how_longer(self, name):
        self.head(200, ("Transfer-Encoding", "chunked"))
        data = self.content(name) + b"0123456789"
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))

    def how_stall(self, name):
        data = self.ranged(name)
        self.wfile.write(data[:10])
        self.wfile.flush()
        time.sleep(60)

    def how_silent(self, name):
        del name
        time.sleep(60)

    def how_drip(self, name):
        data = self.ranged(name)
        for i in range(600):
            self.wfile.write(data[i:i + 1])
            self.wfile.flush()
            time.sleep(0.1)

    def how_loop(self, name):
        self.redirect("/loop/" + name)

    def how_away(self, name):
        self.redirect("/good/" + name)

    def how_to(self, name):
        del name
        self.redirect(self.path.partition("?")[2])

    def how_busy(self, name):
        busy_left.setdefault(name, 2)
        busy_left[name] -= 1
        if busy_left[name] >= 0:
            self.status_only(503)
        else:
            self.how_good(name)

    def how_later(self, name):
        del name
        self.status_only(503, ("Retry-After", 3600))

    def how_missing(self, name):
        del name
        self.status_only(404)

    def how_refused(self, name):
        del name
        self.status_only(403)

    def how_broken(self, name):
        del name
        self.status_only(500)

    def how_wrong206(self, name):
        data = self.content(name)
        if not self.headers.get("Range"):
            self.how_cut(name)
            return
        self.head(206, ("Content-Length", len(data)), ("Content-Range", "bytes 0-%d/%d" % (len(data) - 1, len(data))))
        self.wfile.write(data)

    def how_only206(self, name):
        data = self.content(name)
        self.head(206, ("Content-Length", len(data)))
        self.wfile.write(data)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Ends at once, whatever its connections are doing."""
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        pass  # a client that gave up: what many tests are about


def main():
    server = Server(("127.0.0.1", 0), Handler)
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    os._exit(0)


main()
