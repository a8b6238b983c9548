"""What use has shown: how much is decided, what officers find, how long it takes, and how often they depart from it."""

from collections import defaultdict

from models.backtesting import side_by_side
from models.desk import LaneFigures
from models.disclosure.facts.development import EVALUATION
from models.disclosure.material import DESK, WINDOW, Material
from models.disclosure.statement import DASH, Statement, Table, share
from models.disclosure.work import SAID_BY, Work
from models.policy import LANES
from models.site import Words


def scale(material: Material, say: Words) -> Statement:
    decided = material.decided
    if decided is None:
        return Statement(say("fact.scale.none"), (), is_open=True)
    text = say(
        "fact.scale",
        decisions=say.number(decided.decisions),
        first=decided.first_day,
        last=decided.last_day,
        hash=decided.hash,
    )
    return Statement(text, (WINDOW,))


def found(material: Material, say: Words) -> Statement:
    work = material.work
    if work is None or not any(each.scored for each in work.lanes):
        return _no_work(say)
    by_lane: dict[str, list[LaneFigures]] = defaultdict(list)
    for each in work.lanes:
        by_lane[each.lane].append(each)
    rows = [
        (
            say(f"lane.{lane}"),
            say.number(sum(each.scored for each in by_lane[lane])),
            say.number(sum(each.hits for each in by_lane[lane])),
            say.number(sum(each.expected_hits for each in by_lane[lane]), 1),
        )
        for lane in LANES
        if lane in by_lane
    ]
    heads = [say(head) for head in ("head.lane", "head.judged", "head.found", "head.expected")]
    return Statement(say("fact.found", **_span(work, say)), (DESK,), Table(heads, rows))


def clearance(material: Material, say: Words) -> Statement:
    work = material.work
    timed = [each for each in work.lanes if each.median_hours is not None] if work else []
    if work is None or not timed:
        return _no_work(say)
    rows = [
        (
            each.office,
            say(f"lane.{each.lane}"),
            say.number(each.released + each.overridden),
            say.number(each.median_hours, 1),
            say.number(each.ninth_tenth_hours, 1),
        )
        for each in timed
    ]
    names = ("head.office", "head.lane", "head.closed", "head.median_hours", "head.ninth_hours")
    return Statement(say("fact.clearance", **_span(work, say)), (DESK,), Table([say(head) for head in names], rows))


def departures(material: Material, say: Words) -> Statement:
    work = material.work
    if work is None or not work.closed:
        return _no_work(say)
    rows = []
    for lane in LANES:
        own = [each for each in work.departures if each.lane == lane]
        if closed := sum(each.closed for each in own):
            departed = sum(each.departed for each in own)
            ways = (sum(getattr(each, way) for each in own) for way in ("overridden", "raised", "lowered"))
            rows.append(
                (
                    say(f"lane.{lane}"),
                    *map(say.number, (closed, departed)),
                    say.share(departed / closed),
                    *map(say.number, ways),
                )
            )
    names = ("lane", "closed", "departed", "share", "overridden", "raised", "lowered")
    told = "; ".join(f"{words} ({say.number(count)})" for words, count in work.reasons.items()) or DASH
    text = say(
        "fact.departures",
        **_span(work, say),
        departed=say.number(work.departed),
        closed=say.number(work.closed),
        share=say.share(work.departed / work.closed),
        least=SAID_BY,
        reasons=told,
        own=say.number(work.own_words),
    )
    return Statement(text, (DESK,), Table([say(f"head.{name}") for name in names], rows))


def consistency(material: Material, say: Words) -> Statement:
    rehearsed = material.dossier.judged.rehearsal
    kept = rehearsed.reasons if isinstance(rehearsed, side_by_side.SideBySide) else None
    told = (
        say("consistency.reasons", overlap=share(say, kept.overlap), top=kept.top)
        if kept
        else say("consistency.no_reasons")
    )
    work = material.work
    pairs = [each for each in work.agreements if each.pairs] if work else []
    if work is None or not pairs:
        return Statement(f"{say('consistency.no_pairs')} {told}", (EVALUATION,), is_open=True)
    rows = [
        (
            each.office,
            say.number(each.pairs),
            say.number(each.agreed),
            f"{say.share(each.rate)} [{say.share(each.low)}; {say.share(each.high)}]",
        )
        for each in pairs
    ]
    heads = [say(head) for head in ("head.office", "head.pairs", "head.agreed", "head.agreement")]
    return Statement(f"{say('fact.consistency', **_span(work, say))} {told}", (DESK, EVALUATION), Table(heads, rows))


def _span(work: Work, say: Words) -> dict[str, str]:
    return {"since": say.day(work.since.date()), "until": say.day(work.until.date())}


def _no_work(say: Words) -> Statement:
    return Statement(say("no_work"), (), is_open=True)


FACTS = (scale, found, clearance, departures, consistency)
