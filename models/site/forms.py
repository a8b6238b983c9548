"""The fields of a form that a person sends: each is there once and of a length that can be kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from models.access import Refused

CONTENT_TYPE = "application/x-www-form-urlencoded"
_MOST_FIELDS = 50
_LONGEST = 5_000


@dataclass(frozen=True)
class Form:
    """The fields by name, as text."""

    fields: Mapping[str, str]

    @classmethod
    def read(cls, content_type: str, body: bytes) -> "Form":
        """Return the form in a body; Refused if it is none, or has a field twice."""
        if content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
            raise Refused(f"Content-Type is {content_type[:100]!r}; allowed: {CONTENT_TYPE}", 415)
        try:
            pairs = parse_qsl(
                body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
            )
        except ValueError as error:
            raise Refused(f"the form cannot be read: {error}", 400) from error
        fields = dict(pairs)
        if len(fields) < len(pairs):
            raise Refused("the form has a field twice; allowed: once each", 400)
        return cls(fields)

    def text(self, name: str) -> str:
        """Return a field without the blanks around it; Refused if it is missing, too long, or no readable text."""
        if name not in self.fields:
            raise Refused(f"field {name} is missing", 400)
        value = self.fields[name].replace("\r\n", "\n").strip()
        if len(value) > _LONGEST or any(not (char.isprintable() or char in "\n\t") for char in value):
            raise Refused(f"{name} is not text of up to {_LONGEST} characters", 400)
        return value

    def choice(self, name: str, allowed: Mapping[str, object] | tuple[str, ...]) -> str:
        """Return a field that must be one of `allowed`; Refused if it is not."""
        value = self.text(name)
        if value not in allowed:
            raise Refused(f"{name} is {value[:40]!r}; allowed: {', '.join(allowed)}", 400)
        return value
