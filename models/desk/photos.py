"""Photos of goods: only pictures, without what the camera wrote about itself and its place, bounded, kept by digest.

What is kept is drawn anew from the pixels, so nothing else of a file survives. A photo is named by the SHA-256 of what
was sent, which a client knows before it has a network.
"""

import hashlib
import io
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import uuid4

import msgspec
import sqlalchemy as sa
from PIL import Image, ImageOps, UnidentifiedImageError

from features.disk import PARTIAL, atomic, write_atomically
from models.desk.record import Officer, Refused
from models.desk.shared import Shared, require_worked_on
from models.desk.tables import photos

MOST_BYTES = 10_000_000
MOST_PIXELS = 30_000_000
LONGEST_SIDE = 2_560  # of what is kept
TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_TURN = threading.Lock()  # a process draws one photo at a time: the largest takes half a gigabyte meanwhile
_PURGED = ".purged"  # of the file in place of a picture
_KINDS = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}


class Photo(msgspec.Struct, frozen=True):
    """A photo that is kept: its name (the SHA-256 of what was sent), and its content."""

    sent: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Photos:
    """The photos in `folder`, which is made if it does not exist."""

    shared: Shared
    folder: Path

    def keep(self, officer: Officer, number: int, content: bytes) -> str:
        """Keep a photo with a case that the officer has, or had, in hand, and return its name; the same again is fine.

        Refused if it is no JPEG, PNG or WebP, is broken, or is too large. OSError if it cannot be written.
        """
        sent = hashlib.sha256(content).hexdigest()
        with self.shared.tables.reading() as connection:
            self.shared.row(connection, officer, number)
            require_worked_on(connection, officer, number)
            row = connection.execute(_named(number, sent)).first()
        if row and self._path(row.kept, row.media_type).exists():
            return sent
        with _TURN:
            drawn, media_type = redrawn(content)
        kept = hashlib.sha256(drawn).hexdigest()
        path = self._path(kept, media_type)
        with self.shared.tables.writing() as connection:
            self.shared.row(connection, officer, number)  # two who send the same take turns
            row = connection.execute(_named(number, sent)).first()
            if row is None or not self._path(row.kept, row.media_type).exists():  # new, or sent again after its purge
                connection.execute(photos.delete().where(photos.c.case_number == number, photos.c.sent == sent))
                connection.execute(
                    photos.insert().values(
                        case_number=number,
                        sent=sent,
                        kept=kept,
                        media_type=media_type,
                        at=self.shared.now(),
                        officer=officer.name,
                    )
                )
                self.shared.note(connection, number, officer.name, "photo", sent)
                self._write(path, drawn)  # within the transaction: a purge waits for its end, or has ended
        return sent

    def read(self, officer: Officer, number: int, sent: str) -> Photo:
        """Return a photo of a case that the officer may read.

        Refused if there is none, or if it was purged; OSError if it is lost.
        """
        with self.shared.tables.reading() as connection:
            self.shared.readable(connection, officer, number)
            row = connection.execute(_named(number, sent)).first()
        if row is None:
            raise Refused(f"case {number} has no photo {sent}")
        path = self._path(row.kept, row.media_type)
        if not path.exists() and (marker := path.with_suffix(_PURGED)).exists():
            raise Refused(f"photo {sent} was {marker.read_text(encoding='utf-8')}")
        return Photo(sent, row.media_type, path.read_bytes())

    def before(self, day: date) -> dict[str, date]:
        """Return the pictures kept that were all taken in before a day: the last day for each, by its digest."""
        query = sa.select(photos.c.kept, photos.c.media_type, sa.func.max(photos.c.at).label("last"))
        with self.shared.tables.reading() as connection:
            rows = connection.execute(query.group_by(photos.c.kept, photos.c.media_type)).all()
        return {
            row.kept: row.last.date()
            for row in rows
            if row.last.date() < day and self._path(row.kept, row.media_type).exists()
        }

    def purge(self, kept: Mapping[str, date], sentence: str) -> None:
        """Delete pictures by their digests, each with the last day on which it was taken in, as `before` says it.

        One that was taken in again since then stays. In place of each other one, a file says the sentence. What was
        found stays.
        """
        for digest, day in kept.items():
            with self.shared.tables.writing() as connection:
                if connection.dialect.name == "postgresql":  # in SQLite, one writes at a time
                    connection.execute(sa.text("LOCK TABLE desk_photos IN SHARE ROW EXCLUSIVE MODE"))
                last = sa.select(sa.func.max(photos.c.at)).where(photos.c.kept == digest)
                taken = connection.execute(last).scalar_one()
                if taken and taken.date() > day:
                    continue
                for path in (self.folder / digest[:2]).glob(f"{digest}.*"):
                    if path.suffix in _KINDS.values():
                        write_atomically(path.with_suffix(_PURGED), lambda draft: draft.write_text(sentence, "utf-8"))
                        path.unlink()

    def _path(self, kept: str, media_type: str) -> Path:
        return self.folder / kept[:2] / f"{kept}{_KINDS[media_type]}"

    def _write(self, path: Path, content: bytes) -> None:
        """Write a file that others may be writing too: each has a draft of its own."""
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{uuid4().hex}{PARTIAL}")
        draft.write_bytes(content)
        atomic.flush([draft])
        draft.replace(path)
        atomic.flush([path.parent])


def redrawn(content: bytes) -> tuple[bytes, str]:
    """Return the picture alone, upright and not longer than LONGEST_SIDE, and its media type.

    Its size is looked at before it is decoded. Refused if it is not an allowed picture.

    >>> redrawn(b"<svg/>")
    Traceback (most recent call last):
    ...
    models.desk.record.Refused: the photo is none; allowed: JPEG, PNG, WEBP
    """
    if len(content) > MOST_BYTES:
        raise Refused(f"the photo has {len(content):,} bytes; allowed: up to {MOST_BYTES:,}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(content), formats=tuple(TYPES))
    except UnidentifiedImageError:
        raise Refused(f"the photo is none; allowed: {', '.join(TYPES)}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refused(f"the photo is too large ({error}); allowed: up to {MOST_PIXELS:,} pixels") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise Refused(f"the photo cannot be read: {error}") from error
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise Refused(f"the photo has {width:,} x {height:,} pixels; allowed: up to {MOST_PIXELS:,}")
    kind = str(picture.format)
    if getattr(picture, "n_frames", 1) != 1:
        raise Refused("the photo is moving; allowed: one picture")
    try:
        # First of all, so that memory holds one large picture; and of a large JPEG, not even one.
        picture.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), reducing_gap=None)
        upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise Refused(f"the photo is broken: {error}") from error
    plain = Image.new("RGB", upright.size)
    plain.paste(upright)  # pixels only
    out = io.BytesIO()
    plain.save(out, kind, **({} if kind == "PNG" else {"quality": 88}))
    return out.getvalue(), TYPES[kind]


def _named(number: int, sent: str) -> sa.Select:
    return sa.select(photos).where(photos.c.case_number == number, photos.c.sent == sent)
