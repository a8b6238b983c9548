"""The answer about one declaration: a pure function of what was declared and of what the day's ground says.

It has no clock, no chance and no memory of its own. So a decision is made again, to the last bit, from what was stored
with it. Which declarations are decided when, and what is kept of them, is in deciding.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

import polars as pl
import polars.selectors as cs

from models.decisions import Decision, record
from models.decisions.record import Item, Shadow
from models.live import Plan, State, amend, chance, place
from models.live.placing import Candidate
from models.window.ground import TOLD, Ground, Judged, digest_of_columns

_OF_CUSTOMS = ("accepted_at", "recorded_at")  # by customs' clock: the same declaration has others when it comes again


@dataclass(frozen=True)
class Asked:
    """One version of a declaration as it came.

    `rows` are its items by the contract, all of one office and accepted on the ground's day, in order of their numbers.
    `message` is the digest of the message, `caller` who sent it, and `received_at` the instant, with its zone. A caller
    may be one that speaks `is_own_alone`: it amends no declaration of another caller. `tables` is the digest of the
    tables of customs by which the message was read, and empty if there were none.
    """

    rows: pl.DataFrame
    message: str
    caller: str
    language: str
    received_at: datetime
    is_own_alone: bool = False
    tables: str = ""

    @property
    def declaration_id(self) -> str:
        return self.rows["declaration_id"][0]

    @property
    def office(self) -> str:
        return self.rows["office"][0]

    @property
    def day(self) -> date:
        return self.rows["accepted_at"][0].date()

    @property
    def key(self) -> str:
        """Return what its chances are drawn for, if it never came before; its first item stands for all."""
        goods = self.rows.row(0, named=True)
        return chance.chance_key(goods["declaration_id"], goods["importer_id"], goods["transport_document_id"])

    @cached_property
    def content(self) -> str:
        """Return the digest of what is declared: the same for the same declaration, whenever and however it comes."""
        return record.digest(
            [{name: value for name, value in row.items() if name not in _OF_CUSTOMS} for row in self.rows.to_dicts()]
        )


def decide(
    ground: Ground,
    asked: Asked,
    judged: Judged,
    state: State,
    last: Decision | None,
    drawn: Decision | None,
    earlier_plan: Callable[[str], Plan],
) -> tuple[Decision, State]:
    """Return the decision about a declaration, and the state of its office after it.

    `judged` has what the ground says of the rows, in their order. `last` is the decision about the version before this
    one, or None. An amended item competes by the plan and the state that it first came to, see models.live.amend;
    `earlier_plan` gives a plan by its digest. `drawn` is the first decision about the same goods, under whatever id, or
    None: what was drawn for them then is drawn for them now.
    """
    key = last.key if last else asked.key
    drawn_before = {item.item_number: item.draws for item in drawn.items} if drawn else {}
    before = {item.item_number: item for item in last.items} if last else {}
    accepted_at: datetime = asked.rows["accepted_at"][0]
    second = accepted_at.hour * 3600 + accepted_at.minute * 60 + accepted_at.second
    now, items = state, []
    met = ground.criteria.matching(asked.rows)
    for line, number in enumerate(asked.rows["item_number"]):
        told = judged.told[line]
        weighed = {name: told[name] for name in ("score", "critical", "revenue_if_illicit", "explore")}
        candidate = Candidate(second, **weighed)
        if known := before.get(number):
            plan, came, draws = earlier_plan(known.plan), State.from_json(known.came.encode()), known.draws
            placement, now = amend(plan, came, known.placement, candidate, draws, now, met[line])
        else:
            plan, came = ground.plan(asked.office), now
            draws = drawn_before.get(number) or chance.draws(ground.secret, key, number)
            placement, now = place(plan, now, candidate, draws, met[line])
        items.append(
            Item(
                item_number=number,
                lane=placement.lane,
                reason=placement.reason,
                probability=placement.probability,
                chances=placement.chances,
                candidate=candidate,
                draws=draws,
                plan=plan.digest,
                came=came.as_json().decode(),
                reasons=judged.reasons[line],
                criterion=placement.criterion,
                **{name: told[name] if ground.champion else None for name in TOLD},
            )
        )
    version = last.version + 1 if last else 1
    identity = record.digest([asked.declaration_id, version, asked.content])
    model_version, model_digest = ground.version
    decision = Decision(
        decision_id=f"{ground.day:%Y%m%d}-{identity[:20]}",
        declaration_id=asked.declaration_id,
        version=version,
        content=asked.content,
        message=asked.message,
        caller=asked.caller,
        language=asked.language,
        received_at=asked.received_at,
        day=ground.day,
        office=asked.office,
        key=key,
        declared=tuple(asked.rows.with_columns(cs.datetime().dt.to_string("iso:strict")).to_dicts()),
        morning=ground.morning.digest if ground.morning else "",
        model_version=model_version,
        model_digest=model_digest,
        policy_digest=ground.policy.digest,
        feature_names=digest_of_columns() if ground.morning else "",
        features=tuple(judged.features),
        before=state.as_json().decode(),
        after=now.as_json().decode(),
        items=tuple(items),
        shadows=tuple(Shadow(*version, tuple(scores)) for version, scores in judged.shadows.items()),
        unscored=ground.unscored,
        criteria=ground.criteria.digest,
        tables=asked.tables,
    )
    return decision, now
