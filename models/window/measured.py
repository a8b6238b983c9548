"""How the window answers, in figures for a monitoring system. They tell nothing of a single declaration."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from models.decisions import Decision
from models.live.placing import GREEN
from models.policy import LANES

# Up to a second, beyond which a trader's line waits; the marks are at 25 and 60 ms.
_BUCKETS_S = (0.005, 0.01, 0.025, 0.06, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Measured:
    """Counts since the window's process began."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._seconds = Histogram(
            "tidewaiter_window_answer_seconds",
            "Time from a request until its answer is ready; a trader's system is answered at whole steps after that.",
            ("role", "status"),
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._decided = Counter(
            "tidewaiter_window_decided_declarations",
            "Declarations answered with a decision, by lane.",
            ("lane",),
            registry=self._registry,
        )
        for lane in (*LANES, GREEN):  # so that each is there from the beginning, as 0
            self._decided.labels(lane)
        self._unscored = Counter(
            "tidewaiter_window_unscored_declarations",
            "Declarations decided without a model, by the risk profile and chance.",
            registry=self._registry,
        )

    def answered(self, role: str, status: int, seconds: float) -> None:
        """Count the answer to a request of a machine with a role."""
        self._seconds.labels(role, str(status)).observe(seconds)

    def decided(self, decisions: Sequence[Decision]) -> None:
        """Count decisions that were told."""
        for decision in decisions:
            self._decided.labels(decision.lane).inc()
            if decision.unscored:
                self._unscored.inc()

    def text(self) -> bytes:
        """Return all figures in Prometheus's text format."""
        return generate_latest(self._registry)
