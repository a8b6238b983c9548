"""What of a request is passed on to Prefect: known fields only, and from people only values that are theirs to say.

The rules are pure except that they look at the deployment or run that a request is about, and ask `Forms`, by which the
flows say which parameters they take.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from models.access import Refused
from models.names import MODEL
from models.runs import routes
from models.runs.callers import Caller
from models.runs.form_schemas import refuse_costly
from models.runs.routes import Kind, Route

CATCH_UP = "catch-up"  # the tag of a run that `up` makes for a missed night
CHANGED = "tidewaiter.signoff.changed"  # the event that MLflow's server tells
RESOURCE = f"tidewaiter.{MODEL}"

Body = dict[str, Any]

_ENDED = frozenset({"COMPLETED", "FAILED", "CANCELLED", "CRASHED"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:-]{0,99}")
_KEY = re.compile(r"[A-Za-z0-9._:-]{1,200}")
_MOST_TAGS = 20
_PAUSE = timedelta(hours=1)
# A run beyond the end of the calendar could be stored and not compared with another.
_SOONEST_TO_LATEST = timedelta(days=366)
# A run that its own process begins may say this of itself, but not where it would run.
_NEW_RUN = frozenset(
    (
        "name",
        "flow_id",
        "flow_version",
        "parameters",
        "context",
        "parent_task_run_id",
        "empirical_policy",
        "tags",
        "labels",
        "idempotency_key",
        "state",
    )
)
# Parameters, tags and the variables of a job are not here: with those, one run could make another do as it says.
_CHANGED_RUN = frozenset(["name", "flow_version", "empirical_policy", "infrastructure_pid"])


class Forms(Protocol):
    """The parameters of the deployed flows."""

    def fill(self, entrypoint: str, given: Mapping[str, Any], actor: str) -> Body:
        """Return the parameters that a run is to have; ValueError if they are not what the flow takes."""
        ...

    def is_authored(self, entrypoint: str) -> bool:
        """Whether somebody is the author of what such a run makes."""
        ...


# A function that asks Prefect for what is at a path of its API; Refused with 404 if there is nothing.
Look = Callable[[str], Awaitable[Body]]


@dataclass(frozen=True)
class Rules:
    """The rules, and what they ask others."""

    forms: Forms
    look: Look

    async def judge(self, who: Caller, actor: str, route: Route, body: Body) -> Body:
        """Return the body to pass on in place of this one; Refused if it says what it may not."""
        if who is Caller.TELLER:
            raise Refused(f"{actor} tells one event, as a list", 400)
        if who is Caller.SERVICE:
            return _of_service(route, body)
        if who is Caller.STARTER and route.kind is Kind.DECISION:
            return await self._decide(actor, route, body)
        return body

    async def _decide(self, actor: str, route: Route, body: Body) -> Body:
        if route.name == routes.CREATE_RUN:
            return await self._create(actor, route.ids[0], body)
        if route.name == routes.SET_STATE:
            return await self._set_state(actor, route.ids[0], body)
        if route.name == routes.CHECK_FORM:
            refuse_costly(body)
            return body
        if route.name == routes.CHANGE_DEPLOYMENT:
            return _switch(body, "paused")
        if route.name == routes.CHANGE_SCHEDULE:
            return _switch(body, "active")
        _only(body, ())  # pausing and resuming say nothing more
        return {}

    async def _create(self, actor: str, deployment_id: str, body: Body) -> Body:
        """Judge a new run of a deployment, in the name of the account that is signed in."""
        deployment = await self.look(f"/api/deployments/{deployment_id}")
        if body.get("work_queue_name") == deployment["work_queue_name"]:  # the pages repeat it
            body = {field: value for field, value in body.items() if field != "work_queue_name"}
        _only(body, ("name", "parameters", "tags", "state", "idempotency_key", "enforce_parameter_schema"))
        entrypoint = deployment["entrypoint"]
        given = {**deployment["parameters"], **_object(body, "parameters")}
        try:
            parameters = self.forms.fill(entrypoint, given, actor)
        except ValueError as error:
            raise Refused(_plain(error), 422) from error
        passed: Body = {"parameters": parameters, "tags": _tags(body), "state": _scheduled(_object(body, "state"))}
        if body.get("name"):
            passed["name"] = _text(body, "name", _NAME, "letters, digits, blanks and . _ : -, up to 100")
        if body.get("idempotency_key"):
            key = _text(body, "idempotency_key", _KEY, "letters, digits and . _ : -, up to 200")
            passed["idempotency_key"] = f"{actor}:{key}"  # otherwise one person's key would give another's run
        return passed

    async def _set_state(self, actor: str, run_id: str, body: Body) -> Body:
        """Judge a request to cancel or pause a run, or to begin one again that has ended."""
        _only(body, ("state", "force"))
        state = _object(body, "state")
        kind = state.get("type")
        if kind in ("CANCELLING", "CANCELLED"):
            told: Body = {"type": kind, "name": kind.capitalize(), "message": f"Cancelled by {actor}."}
        elif kind == "PAUSED":
            until = (datetime.now(UTC) + _PAUSE).isoformat()
            details = {"pause_timeout": until, "pause_reschedule": False}
            told = {"type": kind, "name": "Paused", "message": f"Paused by {actor}.", "state_details": details}
        elif kind == "SCHEDULED":
            await self._refuse_retry(actor, run_id)
            told = {"type": kind, "name": "AwaitingRetry", "message": f"Begun again by {actor}."}
        else:
            raise Refused(f"state {kind!r} is the run's own to say; allowed: CANCELLING, CANCELLED, PAUSED, SCHEDULED")
        return {"state": told, "force": False}

    async def _refuse_retry(self, actor: str, run_id: str) -> None:
        run = await self.look(f"/api/flow_runs/{run_id}")
        if run["state_type"] not in _ENDED or not run["deployment_id"]:
            raise Refused("only a run of a deployment that has ended can be begun again", 409)
        deployment = await self.look(f"/api/deployments/{run['deployment_id']}")
        asked = _object(run["parameters"], "parameters").get("requested_by")
        if self.forms.is_authored(deployment["entrypoint"]) and asked != actor:
            # The account that begins it again triggers it, and may not sign what it makes.
            raise Refused(f"this run is of {asked or 'the nights'}: start one of your own with the same parameters")


def judge_event(events: object) -> list[Body]:
    """Return the one event that MLflow's server tells, with nothing added."""
    match events:
        case [{"id": str(number), "event": event, "occurred": str(at), "resource": resource, **more}]:
            if event == CHANGED and resource == {"prefect.resource.id": RESOURCE} and not more:
                return [{"id": number, "event": event, "occurred": at, "resource": resource}]
    raise Refused(f"allowed is one event {CHANGED} of {RESOURCE}, and nothing with it")


def _of_service(route: Route, body: Body) -> Body:
    if route.name == routes.NEW_RUN:
        _only(body, _NEW_RUN)
    elif route.name == routes.CHANGE_RUN:
        _only(body, _CHANGED_RUN)
    return body


def _switch(body: Body, field: str) -> Body:
    _only(body, (field,))
    if not isinstance(body.get(field), bool):
        raise Refused(f"{field} is {body.get(field)!r}; allowed: true, false", 400)
    return {field: body[field]}


def _only(body: Body, allowed: frozenset[str] | tuple[str, ...]) -> None:
    """Raise Refused if a field says something that is not for the caller to say."""
    for field, value in body.items():
        if field not in allowed and not _is_silent(value):
            raise Refused(f"field {field!r} is not yours to say; allowed: {', '.join(sorted(allowed)) or 'none'}")


def _is_silent(value: object) -> bool:
    """Whether a value says nothing; Prefect's pages and clients send such values along."""
    if isinstance(value, dict):
        return all(_is_silent(each) for each in value.values())
    return not value


def _object(body: Mapping[str, Any], field: str) -> Body:
    value = body.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(f"{field} is {value!r}; allowed: an object", 400)
    return value


def _scheduled(state: Body) -> Body:
    """Return when the run is to begin, which is all that people say of a new run's state."""
    if state.get("type", "SCHEDULED") != "SCHEDULED":
        raise Refused(f"a new run is SCHEDULED, not {state['type']!r}")
    at = _object(state, "state_details").get("scheduled_time")
    if at is None:
        return {"type": "SCHEDULED"}
    try:
        moment = datetime.fromisoformat(at)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        away = abs(moment - datetime.now(UTC))
    except (TypeError, ValueError, OverflowError):
        raise Refused(f"scheduled_time is {at!r}; allowed: an instant, as 2024-02-29T13:05:00Z", 400) from None
    if away > _SOONEST_TO_LATEST:
        raise Refused(f"scheduled_time is {at!r}; allowed: within {_SOONEST_TO_LATEST.days} days from today", 400)
    return {"type": "SCHEDULED", "state_details": {"scheduled_time": moment.isoformat()}}


def _tags(body: Body) -> list[str]:
    tags = body.get("tags") or []
    if not isinstance(tags, list) or len(tags) > _MOST_TAGS:
        raise Refused(f"tags: allowed is a list of up to {_MOST_TAGS}", 400)
    for tag in tags:
        if not isinstance(tag, str) or not _NAME.fullmatch(tag) or tag == CATCH_UP:
            raise Refused(f"tag {tag!r}; allowed: letters, digits, blanks and . _ : -, and not {CATCH_UP!r}", 400)
    return tags


def _text(body: Body, field: str, pattern: re.Pattern[str], allowed: str) -> str:
    value = body[field]
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Refused(f"{field} is {value!r}; allowed: {allowed}", 400)
    return value


def _plain(error: ValueError) -> str:
    """Return the sentence of an error; for one of pydantic, the first fault, its place, and the value."""
    faults = getattr(error, "errors", None)
    if faults is None:
        return str(error)
    first = faults()[0]
    where = ".".join(str(part) for part in first["loc"])
    said = first["msg"].removeprefix("Value error, ")  # our sentences have the value in them
    told = said if first["type"] == "value_error" else f"{first['input']!r} is not allowed: {said}"
    return f"{where}: {told}".removeprefix(": ")
