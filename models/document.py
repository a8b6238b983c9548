"""A document of the evidence as a type: it cannot be changed, and it refuses keys that it does not know."""

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """A part of a document that is stored as JSON; ValidationError names a key that does not belong there."""

    model_config = ConfigDict(frozen=True, extra="forbid")
