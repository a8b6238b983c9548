"""What the window answers about declarations, against what the night says of them: the same, bit for bit.

A unit is a simulated world with the seed of its number, and a champion that learned from it. Its last declarations are
asked about, day by day, one by one or in batches of a size drawn by lot, in the three languages: each as a message that
the window reads, from what was known in the morning. The night computes the features of the same declarations from all
that is stored, whole days at once. Compared are every feature that the log of decisions keeps of an item, and the
score, the expected revenue and the reasons as they stand in the answer. The store has the later days already, as a
night's has; tests/property/features/matrix/test_morning.py shows that mornings do not depend on it.
tests/unit/models/window/test_answers.py is a small unit.
"""

import json
import random
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from features import messages
from features.contract import KEY
from features.matrix import CATALOGUE
from features.messages import json_form
from models.decisions import Decision, DecisionLog, Document, Spool
from models.reasons import LANGUAGES, reasons
from models.window.answering import Asked
from models.window.deciding import Decider
from models.window.ground import REASONS, Ground
from models.window.telling import in_full
from tests.support.opened import Opened, opened
from tests.trials.running import Trial, Unit

DECLARATIONS, ROWS = 1000, 40_000
SIZES = (1, 1, 2, 3, 5, 20, 100)  # of what is asked at once
_NAMES = [feature.name for feature in CATALOGUE]


def answered(number: int, declarations: int = DECLARATIONS, rows: int = ROWS) -> Mapping[str, Any]:
    """Compare the answers about the last declarations of a world; AssertionError names the first that differs."""
    with tempfile.TemporaryDirectory(prefix="tidewaiter-answers-") as scratch:
        return compared(opened(Path(scratch), rows, seed=number), declarations, Path(scratch), random.Random(number))


def compared(world: Opened, declarations: int, scratch: Path, draw: random.Random) -> dict[str, int]:
    """Ask about the last `declarations` of a world, and compare each answer with the night's; return what was counted.

    Decisions are kept in `scratch`. AssertionError names the first item that differs, and in what.
    """
    sums = dict.fromkeys(("days", "batches", "declarations", "items", "features", "reasons"), 0)
    for day in reversed(world.workspace.store.days()):
        of_day = world.on(day)
        asked = list(islice(_asked(of_day, draw), declarations - sums["declarations"]))
        with closing(DecisionLog(f"sqlite:///{scratch / f'{day}.db'}")) as log:
            sums["batches"] += _decide(of_day.ground(), log, Spool(scratch / f"{day}.jsonl"), asked, draw)
            kept = list(log.of_day(day))
        assert len(kept) == len(asked)
        night = nights(of_day)
        for decision in kept:
            hold(decision, night)
            sums["items"] += len(decision.items)
            sums["features"] += sum(map(len, decision.features))
            sums["reasons"] += sum(len(item.reasons) for item in decision.items)
        sums["days"] += 1
        sums["declarations"] += len(kept)
        if sums["declarations"] == declarations:
            return sums
    raise AssertionError(f"the world has {sums['declarations']} declarations, fewer than {declarations}")


def nights(world: Opened) -> dict[tuple[str, int], dict[str, Any]]:
    """Return what the night says of each item of the day: features, score, expected revenue, reasons by language."""
    model = world.champion.model
    rows = world.built.scan().filter(pl.col("accepted_at").dt.date() == world.day).collect()
    said = zip(
        rows[list(KEY)].rows(),
        rows[_NAMES].rows(),
        model.predict(rows)["score", "expected_revenue"].rows(),
        strict=True,
    )
    found: dict[tuple[str, int], dict[str, Any]] = {
        key: {
            "features": values,
            "score": score,
            "expected_revenue": revenue,
            "reasons": {each: [] for each in LANGUAGES},
        }
        for key, values, (score, revenue) in said
    }
    for language in LANGUAGES:
        for name, item, _, *reason in reasons(model, rows, language, REASONS).drop_nulls("rank").rows():
            told = dict(zip(("group", "contribution", "direction", "sentence"), reason, strict=True))
            found[name, item]["reasons"][language].append(told)
    return found


def hold(decision: Decision, night: Mapping[tuple[str, int], Mapping[str, Any]]) -> None:
    """Hold a decision, and the answer that is told of it, against the night's; AssertionError names what differs."""
    told = json.loads(msgspec.json.encode(in_full(decision)))
    for values, item in zip(decision.features, told["items"], strict=True):
        said = night[decision.declaration_id, item["item_number"]]
        where = f"{decision.declaration_id}, item {item['item_number']}"
        for name, own, expected in zip(_NAMES, values, said["features"], strict=True):
            _same(f"{where}: {name}", own, expected)
        for name in ("score", "expected_revenue"):
            _same(f"{where}: {name}", item[name], said[name])
        _same(f"{where}: reasons", item["reasons"], said["reasons"][decision.language])


def _same(what: str, own: object, expected: object) -> None:
    """Compare values by how Python writes them, which tells every two floats apart, -0.0 and 0.0 too."""
    assert repr(own) == repr(expected), f"{what} is {own!r}; the night says {expected!r}"


def _asked(world: Opened, draw: random.Random) -> Iterator[Asked]:
    """Have the declarations of a day come as messages of their systems, and read each as the window does."""
    for place in range(world.declared["declaration_id"].n_unique()):
        asked = world.asked(place, draw.choice(LANGUAGES))
        content = msgspec.json.encode(json_form.message(asked.rows))
        read = messages.read(content, "application/json", asked.rows["accepted_at"][0])
        assert not read.refusals, read.refusals[0]
        yield replace(asked, rows=read.rows)


def _decide(ground: Ground, log: DecisionLog, spool: Spool, asked: Sequence[Asked], draw: random.Random) -> int:
    """Have declarations decided in batches of sizes drawn by lot; return how many batches there were."""
    waiting, batches = iter(asked), 0
    decider = Decider(log, spool, lambda: ground, _no_model)
    decider.start()
    try:
        while batch := list(islice(waiting, draw.choice(SIZES))):
            documents = {each.message: Document("application/json", b"{}") for each in batch}
            decider.ask(batch, documents).result()
            batches += 1
    finally:
        decider.stop()
    return batches


def _no_model(why: str) -> Ground:
    raise AssertionError(f"the champion is not asked: {why}")


@contextmanager
def _opened() -> Generator[Unit]:
    yield answered


TRIAL = Trial("answers of the window, against the night's features, scores and reasons, bit for bit", 10, _opened)
