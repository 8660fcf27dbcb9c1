# SPDX-License-Identifier: Apache-2.0
"""Servers on the router: CRLs over HTTP, as well or as badly as a test wants it; OCSP by openssl."""
import http.server
import socket
import subprocess
import threading

from .run import in_ns, run, socket_in, wait_until

ADDRESS = "10.81.1.1"  # both gateways reach it


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.web.answer(self)

    do_POST = do_GET


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, web, sock):
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket, self.web = sock, web

    def handle_error(self, *_):
        pass  # who asked has gone


class Web:
    """`pages`: bytes by path, or a function of the handler. `mode` is for all of them:

    good    hang (until `release`)    slow (a byte now and then)    error (500)    garbage    huge (without an end)
    """

    def __init__(self, net, port=8080, at="gw"):
        self.port, self.pages, self.mode, self.asked = port, {}, "good", []
        self.release = threading.Event()
        sock = socket_in(net.ns(at), socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("0.0.0.0", port))
        sock.listen(128)
        self.server = _Server(self, sock)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def url(self, path):
        return "http://%s:%d/%s" % (ADDRESS, self.port, path)

    def answer(self, handler):
        path = handler.path.lstrip("/")
        self.asked.append(path)
        page = self.pages.get(path)
        if self.mode == "hang":
            self.release.wait(60)
        if page is None or self.mode == "error":
            handler.send_error(404 if page is None else 500)
            return
        if callable(page):
            page(handler)
            return
        if self.mode == "garbage":
            page = bytes(200)
        handler.send_response(200)
        handler.send_header("Content-Type", "application/pkix-crl")
        if self.mode == "huge":
            handler.close_connection = True
            handler.end_headers()
            while True:
                handler.wfile.write(bytes(65536))
        handler.send_header("Content-Length", str(len(page)))
        handler.end_headers()
        if self.mode == "slow":
            for at in range(len(page)):
                handler.wfile.write(page[at:at + 1])
                if self.release.wait(0.2):
                    break
        else:
            handler.wfile.write(page)

    @staticmethod
    def redirect(target):
        def page(handler):
            handler.send_response(302)
            handler.send_header("Location", target)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        return page

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Ocsp:
    """openssl's own responder for one CA of a PKI."""

    def __init__(self, net, pki, ca, port, at="gw"):
        self.port = port
        ns = net.ns(at)
        # the lines that it writes are not read by anybody
        self.process = subprocess.Popen(in_ns(ns, [
            "openssl", "ocsp", "-port", str(port), "-index", pki.path(ca + ".db"), "-CA", pki.path(ca + ".pem"),
            "-rsigner", pki.path("ocsp-%s.pem" % ca), "-rkey", pki.path("ocsp-%s.key" % ca), "-nmin", "10", "-ignore_err"]),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: run("ss", "-Hltn", "sport = :%d" % port, ns=ns).stdout, 10, "the OCSP responder")

    def close(self):
        self.process.kill()
        self.process.wait()
