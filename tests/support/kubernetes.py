"""As much of Kubernetes' API as a worker needs to begin a job: it keeps what is sent, and no pod ever comes."""

import copy
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import yaml


@dataclass
class Cluster:
    """Where the API is, and the jobs that were asked for, as they were sent."""

    kubeconfig: Path
    jobs: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def cluster(folder: Path) -> Generator[Cluster]:
    """Listen on loopback until the block ends; `kubeconfig` leads there."""
    found = Cluster(folder / "kubeconfig")

    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if "watch=" in self.path:
                self._answer(b"")  # nothing happens, and the watch ends
            elif self.path.rstrip("/") in ("/version", "/apis", "/api"):
                self._answer({"kind": "APIGroupList", "groups": [], "versions": ["v1"]})
            elif self.path.partition("?")[0].rstrip("/") in ("/api/v1", "/apis/batch/v1"):
                self._answer({"kind": "APIResourceList", "resources": RESOURCES})
            else:
                self._answer({"kind": "List", "metadata": {"resourceVersion": "1"}, "items": []})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path.partition("?")[0].endswith("/jobs"):
                found.jobs.append(copy.deepcopy(body))
                body["metadata"] |= {"name": f"{body['metadata']['generateName']}1", "uid": "1"}
            self._answer(body)

        def _answer(self, content: object) -> None:
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        found.kubeconfig.write_text(yaml.safe_dump(_kubeconfig(server.server_port)))
        yield found
        server.shutdown()


RESOURCES = [
    {"name": name, "kind": kind, "namespaced": True, "verbs": ["create", "get", "list", "watch", "patch", "delete"]}
    for name, kind in (("pods", "Pod"), ("jobs", "Job"), ("events", "Event"))
]


def _kubeconfig(port: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "worker", "user": {"token": "none"}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "worker", "namespace": "tidewaiter"}}],
        "current-context": "here",
    }
