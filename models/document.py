"""A document of the evidence, typed: nothing in it changes, and what it does not know is refused."""

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """A part of a document that is stored as JSON; ValidationError names a key that does not belong there."""

    model_config = ConfigDict(frozen=True, extra="forbid")
