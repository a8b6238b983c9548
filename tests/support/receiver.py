"""A web server on loopback that takes the messages which are sent to it, or refuses them."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Receiver:
    """What was taken, in order, under which keys, at which paths and when; `status` is what is answered."""

    url: str
    status: int = 200
    messages: list[dict] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)


@contextmanager
def receiving() -> Iterator[Receiver]:
    def take(path: str, headers: Message, content: bytes) -> int:
        if receiver.status == 200:
            receiver.messages.append(json.loads(content))
            receiver.keys.append(headers["Idempotency-Key"])
            receiver.paths.append(path)
            receiver.times.append(datetime.now(UTC))
        return receiver.status

    with listening(take) as port:
        receiver = Receiver(f"json://127.0.0.1:{port}/")
        yield receiver


@contextmanager
def listening(take: Callable[[str, Message, bytes], int]) -> Iterator[int]:
    """Have `take` get path, headers and body of what is sent, and answer the status that it returns; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            content = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(take(self.path, self.headers, content))
            self.end_headers()

        def log_message(self, format, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        threading.Thread(target=lambda: web.serve_forever(poll_interval=0.01), daemon=True).start()
        yield web.server_port
        web.shutdown()
