"""JSON that has one meaning, for both guards: what they judge is what the server behind them reads."""

import json
import math
import re
from typing import Any

from starlette.datastructures import Headers

from models.access.call import Refused

LARGEST_NUMBER = 2**63 - 1
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")  # it could be written, and not be read again


def parse(body: bytes, headers: Headers) -> Any:  # noqa: ANN401  any JSON
    """Return what a body says; Refused if two readers could understand it in two ways, or not show it again."""
    kinds = headers.getlist("content-type")
    if len(kinds) > 1 or (kinds and kinds[0].partition(";")[0].strip().lower() != "application/json"):
        raise Refused(f"Content-Type is {', '.join(kinds)}; allowed: application/json", 400)
    if headers.get("content-encoding"):
        raise Refused("the body is compressed; allowed: plain JSON", 400)
    try:
        said = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_int=_whole_number,
            parse_float=_number,
        )
        if _HALF_CHARACTER.search(body):
            json.dumps(said, ensure_ascii=False).encode("utf-8")
        return said
    except UnicodeEncodeError:
        raise Refused("the body holds half a character, which is not Unicode text", 400) from None
    except (ValueError, RecursionError) as error:
        raise Refused(f"the body is not JSON that has one meaning: {error}", 400) from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _whole_number(text: str) -> int:
    """Return a whole number that Prefect can show again: it answers no list that has a run with a larger one."""
    number = int(text)
    if not -LARGEST_NUMBER <= number <= LARGEST_NUMBER:
        raise ValueError(f"{text} is beyond {LARGEST_NUMBER}")
    return number


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is beyond what a number holds")
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
