"""A web server on loopback that takes the messages which are sent to it, or refuses them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
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
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if receiver.status == 200:
                receiver.messages.append(content)
                receiver.keys.append(self.headers["Idempotency-Key"])
                receiver.paths.append(self.path)
                receiver.times.append(datetime.now(UTC))
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, format, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        receiver = Receiver(f"json://127.0.0.1:{web.server_port}/")
        threading.Thread(target=lambda: web.serve_forever(poll_interval=0.01), daemon=True).start()
        yield receiver
        web.shutdown()
