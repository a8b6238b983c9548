"""Traces of OpenTelemetry: spans of requests and runs, sent to a receiver of OTLP once `begin` has named one.

Until then nothing of OpenTelemetry is imported, and a span costs a look at a variable. A span says how long something
took, its route or stage, which role asked, and how many rows it was about: never who asked, what was declared, or what
an error says. Of what a caller sends, only the ids of the W3C's `traceparent` are taken over.
"""

from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider

    Parent = Context | None

TIMEOUT_S = 5.0  # of a receiver that does not answer, in a run that ends or a server that stops
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OFF = nullcontext()

_provider: "TracerProvider | None" = None
_parents: "ContextVar[tuple[Parent, ...]]" = ContextVar("parents", default=(None,))


def begin(url: str | None, service: str) -> None:
    """Send the spans of this process, as `service`, to `url` from now on; with None, or a second time, do nothing."""
    global _provider
    if url is None or _provider is not None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # It is not made the process's own: libraries would put into their spans what they are called with.
    _provider = TracerProvider(resource=Resource.create({"service.name": service}))
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(url, timeout=TIMEOUT_S)))


def end() -> None:
    """Send what waits, and be as before `begin`."""
    global _provider
    if _provider is not None:
        _provider.shutdown()
        _provider = None


def span(name: str, **attributes: str | int) -> AbstractContextManager[None]:
    """Open a span within the one that is open, or within each of those of `under`."""
    return _OFF if _provider is None else _opened(_provider, name, attributes)


def here() -> "Parent":
    """Return the place of the span that is open, to be handed to `under` in another thread."""
    if _provider is None:
        return None
    from opentelemetry.context import get_current

    return get_current()


def under(parents: "Iterable[Parent]") -> AbstractContextManager[None]:
    """Have spans opened within each of several: what is done for some requests at once is part of every one."""
    return _OFF if _provider is None else _under(tuple(parents))


def note(route: str = "", **attributes: str | int) -> None:
    """Say more of the span that is open; `route` is what its request is for, without what is in its path."""
    if _provider is None:
        return
    from opentelemetry.trace import get_current_span

    current = get_current_span()
    current.set_attributes(attributes)
    if route:
        current.update_name(route)
        current.set_attribute("http.route", route)


def around(app: ASGIApp) -> ASGIApp:
    """Return the application such that each request has a span, within its caller's; as it is where none are made."""
    return app if _provider is None else _Traced(app, _provider)


class _Traced:
    def __init__(self, app: ASGIApp, provider: "TracerProvider") -> None:
        self._app, self._provider = app, provider

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        told = Headers(scope=scope).get("traceparent", "")
        parent = TraceContextTextMapPropagator().extract({"traceparent": told})
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                current.set_attribute("http.response.status_code", message["status"])
            await send(message)

        attributes = {"http.request.method": method}
        with self._provider.get_tracer("tidewaiter").start_as_current_span(
            method,
            parent,
            SpanKind.SERVER,
            attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as current:
            await self._app(scope, receive, noted)


@contextmanager
def _under(parents: "tuple[Parent, ...]") -> Generator[None]:
    token = _parents.set(parents)
    try:
        yield
    finally:
        _parents.reset(token)


@contextmanager
def _opened(provider: "TracerProvider", name: str, attributes: dict[str, str | int]) -> Generator[None]:
    from opentelemetry.trace import Status, StatusCode, use_span

    tracer = provider.get_tracer("tidewaiter")
    opened = [tracer.start_span(name, parent, attributes=attributes) for parent in _parents.get()]
    with ExitStack() as stack:
        for each in opened:
            stack.callback(each.end)
        if len(opened) == 1:
            quiet = {"record_exception": False, "set_status_on_exception": False}
            stack.enter_context(use_span(opened[0], end_on_exit=False, **quiet))
        try:
            yield
        except BaseException as error:
            for each in opened:
                each.set_attribute("error.type", type(error).__name__)
                each.set_status(Status(StatusCode.ERROR))
            raise
