"""A server before an object store that cuts connections: a request does not arrive, or its answer, or half of it."""

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["", "request", "answer", "half"]
"""What is lost; nothing is."""
_AT_ONCE = struct.pack("ii", 1, 0)
"""A connection is reset when it is closed, as by a server that is killed, and not ended in order."""


@contextmanager
def cutting(url: str, choose: Callable[[str, str], Fault]) -> Iterator[str]:
    """Stand before the store at a URL; `choose` says for each request, by its method and path, what is lost."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with lock:
                fault = choose(self.command, self.path)
            found = None if fault == "request" else self.forward(body)
            if found and fault != "answer":
                with suppress(OSError):  # who asked is gone
                    self.pass_on(*found, half=fault == "half")
            if fault:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                self.close_connection = True

        def forward(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
            store = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
            store.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                store.putheader(name, value)
            store.endheaders(body)
            answer = store.getresponse()
            return answer, answer.read()

        def pass_on(self, answer: http.client.HTTPResponse, data: bytes, half: bool) -> None:
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else len(data)
            self.send_header("Content-Length", str(length or 0))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if half else data)

        def log_message(self, *_: object) -> None:
            """Nothing is told."""

    for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
