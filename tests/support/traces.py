"""A receiver of OTLP on loopback that keeps the spans which are sent to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from models import spans
from tests.support.receiver import listening


@dataclass
class Receiver:
    """What was sent; `content` is all of it, as it came."""

    url: str
    content: bytes = b""
    services: set[str] = field(default_factory=set)
    spans: list[Span] = field(default_factory=list)

    def take(self, content: bytes) -> None:
        self.content += content
        for resource in ExportTraceServiceRequest.FromString(content).resource_spans:
            self.services |= {
                each.value.string_value for each in resource.resource.attributes if each.key == "service.name"
            }
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> Span:
        (span,) = self.named(name)
        return span

    def within(self, parent: Span) -> list[str]:
        return [span.name for span in self.spans if span.parent_span_id == parent.span_id]


def attributes(span: Span) -> dict[str, str | int]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


@contextmanager
def receiving() -> Iterator[Receiver]:
    def take(path: str, headers: Message, content: bytes) -> int:
        assert path == "/v1/traces"
        receiver.take(content)
        return 200

    with listening(take) as port:
        receiver = Receiver(f"http://127.0.0.1:{port}/v1/traces")
        yield receiver


@contextmanager
def traced(service: str = "tests") -> Iterator[Receiver]:
    """Have this process make traces within the block; after it, they are all there."""
    with receiving() as receiver:
        spans.begin(receiver.url, service)
        try:
            yield receiver
        finally:
            spans.end()
