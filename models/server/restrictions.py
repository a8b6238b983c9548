"""What may be written without sign-off: everything but what was signed, and what could be taken for it.

No ledger is asked here: these rules hold for everybody, administrators included. Each rule looks at one call and either
raises Refused, or returns the call to pass on.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from models.access import Call, Refused, accounts
from models.names import (
    AUTHOR,
    CHALLENGER,
    CHAMPION,
    EVIDENCE_TAGS,
    MODEL,
    PENDING,
    PREVIOUS,
    SERVICE,
    SERVICE_RUN_TAGS,
    SIGNOFF,
)
from models.server import stored

Rule = Callable[[Call], Call]

_RUN_FILE = re.compile(r"[^/]+/(?P<id>[0-9a-f]{32})/artifacts/.+")
_MODEL_FILE = re.compile(r"[^/]+/models/(?P<id>m-[0-9a-f]{32})/artifacts/.+")
_PROMPT = "mlflow.prompt"


def rule(method: str, name: str) -> Rule:
    """Return the rule for a guarded route that the ledger has no part in."""
    own = _RULES.get((method, name.removeprefix("mlflow/")))
    return own or (_pass if name.startswith("mlflow/experiments/") else _leave_frozen)


def judge_artifact(path: str) -> None:
    """Raise Refused if the file below the artifacts' root may not be written or deleted."""
    match = _RUN_FILE.fullmatch(path) or _MODEL_FILE.fullmatch(path)
    if match is None:
        raise Refused(f"{path!r} is not a file of a run or of a logged model, and nothing else is written")
    if match["id"] in stored.frozen():
        raise Refused(f"{path!r} belongs to a version of {MODEL}: its evidence is not written any more")


def is_ours(call: Call) -> bool:
    """Whether a call names `customs-risk`. Refused if its name could be taken for that."""
    name = call.text("name")
    _refuse_likeness_of_name(name)
    return name == MODEL


def judge_tag(call: Call) -> Call:
    """Judge a tag of a version of `customs-risk` that is not a signature; return the call."""
    key = call.text("key")
    if key not in EVIDENCE_TAGS:
        _refuse_likeness(key)
        return call
    number = call.number()
    found = stored.version(number)
    if found is None:
        raise Refused(f"there is no version {number} of {MODEL}", 404)
    if key == AUTHOR or key in found.tags:
        raise Refused(f"tag {key} of version {number} is part of its evidence, which is written once")
    if not call.is_service:
        raise Refused(f"tag {key} of version {number} is written by the service that registers it, not by {call.actor}")
    return call


def is_reserved(alias: str) -> bool:
    """Whether an alias of `customs-risk` is the service's. Refused if it could be taken for one that is."""
    plain = _plain(alias)
    if plain in (CHAMPION, PREVIOUS, CHALLENGER) and alias != plain:
        raise Refused(f"alias {alias!r} could be taken for {plain}; choose another name")
    return plain in (CHAMPION, PREVIOUS, CHALLENGER)


def _pass(call: Call) -> Call:
    return call


def leave_ours(call: Call) -> Call:
    """Return a call that is not about `customs-risk`; Refused if it is."""
    if is_ours(call):
        raise Refused(f"{MODEL} and its versions stay as they were registered")
    return call


def _delete_version_tag(call: Call) -> Call:
    if is_ours(call):
        key = call.text("key")
        if key.startswith(SIGNOFF) or key in EVIDENCE_TAGS:
            raise Refused(f"tag {key} is part of what is signed, and stays")
    return call


def _create_version(call: Call) -> Call:
    """Judge a new version: only the service registers one of `customs-risk`, and names whom it works for."""
    if not call.text("source").startswith(("models:/", "runs:/")):  # another place could be any file of the server
        raise Refused("the source of a version is a logged model or a run: models:/... or runs:/...")
    tags = _tags_given(call)
    if not is_ours(call):
        return call
    _refuse_others(call)
    for key, value in tags.items():
        if key.startswith(SIGNOFF) and value != PENDING:
            raise Refused(f"a version begins with {key} = {PENDING}, not {value!r}")
        if not key.startswith(SIGNOFF) and key not in EVIDENCE_TAGS:
            _refuse_likeness(key)
    return call.with_body(tags=_as_list(_authored(call, tags)))


def judge_registration(call: Call, is_account: Callable[[str], bool]) -> None:
    """Raise Refused if the account may register nothing, or would name an author that does not exist."""
    _refuse_others(call)
    judge_author(call.text("author"), is_account)


def judge_author_tag(call: Call, is_account: Callable[[str], bool]) -> None:
    """Judge the author's tag of a run, or of a version of `customs-risk`."""
    if call.name == "mlflow/runs/create" or is_ours(call):
        judge_author(_tags_given(call)[AUTHOR], is_account)


def judge_author(author: str, is_account: Callable[[str], bool]) -> None:
    """Raise Refused if the author is no account and so nobody by whom a version could be made."""
    if author != SERVICE and not is_account(author):
        raise Refused(f"author {author!r} is not an account: a model is made for somebody who has one")


def _refuse_others(call: Call) -> None:
    if not call.is_service:
        raise Refused(
            f"versions of {MODEL} are registered by the service alone, not by {call.actor}: start retrain/adhoc in "
            "Prefect, or run `tidewaiter retrain` as the user of `tidewaiter up`"
        )


def _create_run(call: Call) -> Call:
    """Pass on a new run with the account that makes it as its author; the service names whom it works for."""
    return _leave_frozen(call).with_body(tags=_as_list(_authored(call, _tags_given(call))))


def _authored(call: Call, tags: dict[str, str]) -> dict[str, str]:
    return tags if call.is_service and tags.get(AUTHOR) else {**tags, AUTHOR: call.actor}


def _create_model(call: Call) -> Call:
    _refuse_readers(call)
    for key in _tags_given(call):
        _refuse_prompt(key)
    if is_ours(call):
        _refuse_others(call)
    return call


def _rename_model(call: Call) -> Call:
    leave_ours(call)
    new = call.text("new_name")
    if new == MODEL:
        raise Refused(f"no other model takes the name {MODEL}")
    _refuse_likeness_of_name(new)
    return call


def _tag_model(call: Call) -> Call:
    _refuse_prompt(call.text("key"))
    return leave_ours(call)


def _create_experiment(call: Call) -> Call:
    _refuse_readers(call)
    # Another place could be where the evidence of others lies, or the server's own keys.
    if call.body.get("artifact_location") and not call.is_service:
        raise Refused("an experiment's artifacts go where the server keeps them: leave artifact_location out")
    return call


def _refuse_readers(call: Call) -> None:
    """Raise Refused for readers: MLflow lets any account make experiments and models, and gives it all in them."""
    if not (call.is_service or call.is_administrator or accounts.DATA_SCIENTIST in call.roles):
        raise Refused(
            f"experiments and models are made by the role {accounts.DATA_SCIENTIST}, which {call.actor} has not"
        )


def _leave_our_experiments(call: Call) -> Call:
    number = call.text("experiment_id")
    if number in stored.kept_experiments():
        raise Refused(f"experiment {number} is where {MODEL} is made and watched: it stays, under its name")
    return call


def _leave_frozen(call: Call) -> Call:
    """Refuse a write that names, in any field, a run or logged model of a version, since these are evidence."""
    frozen = stored.frozen()
    for text in (*call.name.split("/"), *_texts(call.body)):
        if text in frozen:
            raise Refused(f"{text} belongs to a version of {MODEL}: its evidence is not written any more")
    keys = (call.body.get("key"), *_tag_keys(call.body.get("tags")))
    if call.name != "mlflow/runs/create" and AUTHOR in keys:
        raise Refused(f"tag {AUTHOR} says who made a run, and is set by the server")
    if not call.is_service and (ours := sorted(key for key in SERVICE_RUN_TAGS if key in keys)):
        raise Refused(f"tag {ours[0]} is what the service finds its runs by; choose another name")
    return call


def _refuse_likeness(key: str) -> None:
    """Raise Refused for a tag that a reader could take for a signature, or for evidence."""
    _refuse_prompt(key)
    plain = _plain(key)
    if plain.startswith(SIGNOFF.rstrip(".")) or plain in EVIDENCE_TAGS:
        raise Refused(f"tag {key!r} could be taken for one that is signed; choose another name")


def _refuse_likeness_of_name(name: str) -> None:
    if name != MODEL and _plain(name) == MODEL:
        raise Refused(f"{name!r} could be taken for {MODEL}; choose another name")


def _refuse_prompt(key: str) -> None:
    if key.startswith(_PROMPT):
        raise Refused("prompts are not part of this product")


def _plain(text: str) -> str:
    """Return text as a person would read it: without case and blanks. Refused if it has letters of other scripts."""
    if not (text.isascii() and text.isprintable()):
        raise Refused(f"{text!r} is not a name here; allowed: printable ASCII characters")
    return "".join(text.split()).casefold()


def _tags_given(call: Call) -> dict[str, str]:
    tags = call.body.get("tags") or []
    keys = list(_tag_keys(tags))
    if not isinstance(tags, list) or not all(isinstance(key, str) for key in keys) or len(set(keys)) != len(keys):
        raise Refused("tags are a list of keys with values, no key twice", 400)
    return {tag["key"]: str(tag.get("value", "")) for tag in tags}


def _tag_keys(tags: object) -> Iterator[object]:
    for tag in tags if isinstance(tags, list) else []:
        yield tag.get("key") if isinstance(tag, Mapping) else None


def _as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


_RULES: Mapping[tuple[str, str], Rule] = {
    ("DELETE", "model-versions/delete-tag"): _delete_version_tag,
    ("POST", "model-versions/create"): _create_version,
    ("POST", "model-versions/transition-stage"): leave_ours,
    ("PATCH", "model-versions/update"): leave_ours,
    ("POST", "registered-models/create"): _create_model,
    ("POST", "registered-models/rename"): _rename_model,
    ("POST", "registered-models/set-tag"): _tag_model,
    ("DELETE", "registered-models/delete-tag"): leave_ours,
    ("DELETE", "registered-models/delete"): leave_ours,
    ("POST", "runs/create"): _create_run,
    ("POST", "experiments/create"): _create_experiment,
    ("POST", "experiments/update"): _leave_our_experiments,
    ("POST", "experiments/delete"): _leave_our_experiments,
}
