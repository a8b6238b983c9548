"""A decision is made again from what was stored with it, however long ago, and compared to the last bit.

The message, customs' tables by which it was read, the features, the plan of the office, its state and the criteria in
force are those of the log; the model is that version's, from the registry; the secret is the day's. What exploration
weighed and what versions in waiting said is taken as stored. Where the morning can still be made from the data, with
the same digest, the features are made again too.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime

import msgspec
import polars as pl

from features import messages
from features.contract import KEY
from models import policy
from models.criteria import InForce
from models.decisions import Decision, DecisionLog, Document, exports
from models.dossier import Incumbent
from models.live import Plan, State
from models.window.answering import Asked, decide
from models.window.ground import Ground, Judged, Known
from models.window.making import NOTHING_PAST

_KINDS = {"numeric": pl.Float32(), "categorical": pl.String()}


class CannotReplay(LookupError):
    """Something that the decision was made from is not there. The message says what."""


@dataclass(frozen=True)
class Replayed:
    """Tells what came of it: `differences` names fields that are others now, `notes` what was not made again."""

    stored: Decision
    differences: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Stored:
    """Holds what a decision has stored of its morning."""

    digest: str
    rows: pl.DataFrame

    def features(self, declarations: pl.DataFrame) -> pl.DataFrame:
        return self.rows


def replay(
    log: DecisionLog,
    decision_id: str,
    secret: Callable[[date], bytes],
    model: Callable[[str], Incumbent],
    morning: Callable[[Decision], Known | None],
) -> Replayed:
    """Make a decision again; CannotReplay if there is no such decision, or something that it names is missing.

    `secret` gives that of a day. `model` gives a version by its number, and `morning` what was known before
    the decision's day, or None if the data do not tell it any more.
    """
    stored = log.decision(decision_id)
    if stored is None:
        raise CannotReplay(f"there is no decision {decision_id!r}")
    rows, notes = exports.rows_of(stored), []
    known: Known | None = None
    if stored.morning:
        known = morning(stored)
        if known is None or known.digest != stored.morning:
            notes.append("features are as stored: what is known today of the days before is not what was known then")
            known = _Stored(stored.morning, _features(log, stored, rows))
    champion = model(stored.model_version) if stored.model_version else None
    if champion and champion.model.digest != stored.model_digest:
        raise CannotReplay(f"version {stored.model_version} has another model than the one that was asked")
    rules = policy.parse(_document(log, stored.policy_digest).content)
    criteria = InForce.from_json(_document(log, stored.criteria).content) if stored.criteria else InForce()
    ground = Ground(
        stored.day,
        rules,
        secret(stored.day),
        NOTHING_PAST,
        known,
        champion,
        unscored=stored.unscored,
        criteria=criteria,
    )
    state = State.from_json(stored.before.encode())
    ground.put(_plan(log, state.plan))
    last = [each for each in log.versions(stored.declaration_id) if each.version == stored.version - 1]
    again, _ = decide(
        ground,
        Asked(rows, stored.message, stored.caller, stored.language, stored.received_at, tables=stored.tables),
        _as_stored(ground.judged(rows, stored.language), stored),
        state,
        last[0] if last else None,
        _drawn_before(log, stored),
        lambda digest: _plan(log, digest),
    )
    found = [name for name in Decision.__struct_fields__ if getattr(again, name) != getattr(stored, name)]
    if _told(log, stored, rows) != stored.content:
        found.append("what the message declares")
    return Replayed(stored, tuple(found), tuple(notes))


def _drawn_before(log: DecisionLog, stored: Decision) -> Decision | None:
    """Return the first decision about the same goods, if that is another one."""
    first = log.first_of_key(stored.key)
    return first if first and first.decision_id != stored.decision_id else None


def _as_stored(judged: Judged, stored: Decision) -> Judged:
    """Return what the ground says, with what is taken as stored."""
    told = [{**each, "explore": item.candidate.explore} for each, item in zip(judged.told, stored.items, strict=True)]
    return replace(
        judged,
        told=told,
        shadows={(each.model_version, each.model_digest): each.scores for each in stored.shadows},
    )


def _features(log: DecisionLog, stored: Decision, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the features of a decision as they were stored, with the identity of its rows."""
    columns = msgspec.json.decode(_document(log, stored.feature_names).content)
    values = pl.DataFrame(stored.features, {name: _KINDS[kind] for name, kind in columns}, orient="row")
    return pl.concat([rows.select(*KEY, "accepted_at"), values], how="horizontal")


def _told(log: DecisionLog, stored: Decision, rows: pl.DataFrame) -> str:
    """Return the digest of what the decision's message says of its declaration, read anew."""
    message = _document(log, stored.message)
    accepted_at: datetime = rows["accepted_at"][0]
    tables = messages.Tables.from_json(_document(log, stored.tables).content) if stored.tables else None
    read = messages.read(message.content, message.media_type, accepted_at, tables=tables).rows
    own = read.filter(pl.col("declaration_id") == stored.declaration_id).sort("item_number", maintain_order=True)
    return Asked(own, stored.message, stored.caller, stored.language, stored.received_at).content


def _plan(log: DecisionLog, digest: str) -> Plan:
    return Plan.from_json(_document(log, digest).content)


def _document(log: DecisionLog, digest: str) -> Document:
    found = log.document(digest)
    if found is None:
        raise CannotReplay(f"the log has no document {digest}, which the decision names")
    return found
