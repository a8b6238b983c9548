"""Photos: only pictures, drawn anew, bounded before they are decoded, and kept once."""

import hashlib
import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta

import numpy as np
import pytest
from PIL import Image

from models.desk import Refused
from models.desk.photos import LONGEST_SIDE, MOST_BYTES, redrawn
from tests.support.desks import ANA, BEN, SUE


def picture(kind="JPEG", size=(60, 40), **saved):
    across = np.linspace(0, 255, size[0], dtype=np.uint8)
    pixels = np.stack(
        [np.tile(across, (size[1], 1)), np.full(size[::-1], 90, np.uint8), np.zeros(size[::-1], np.uint8)]
    )
    out = io.BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(out, kind, **saved)
    return out.getvalue()


def located(kind="JPEG", orientation=1):
    """A picture whose file tells where it was taken, by which camera, and which way is up."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "SECRET CAMERA"
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 29.0)
    return picture(kind, exif=exif.tobytes(), icc_profile=b"SECRET PROFILE" * 20)


def bomb(width, height):
    """The beginning of a PNG that says it has so many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    data = b"IDAT" + zlib.compress(b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(each) - 4) + each + struct.pack(">I", zlib.crc32(each)) for each in (chunk, data)
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_is_kept_has_the_pixels_and_nothing_else(kind):
    sent = located(kind)
    assert b"SECRET CAMERA" in sent
    kept, media_type = redrawn(sent + b"<script>SECRET</script>")
    assert b"SECRET" not in kept
    assert media_type == f"image/{kind.lower()}"
    again = Image.open(io.BytesIO(kept))
    assert (again.format, again.size, dict(again.getexif())) == (kind, (60, 40), {})
    difference = np.abs(np.asarray(again.convert("RGB"), int) - np.asarray(Image.open(io.BytesIO(sent)), int))
    assert difference.mean() < 6


def test_a_picture_is_turned_as_its_camera_was_held():
    kept, _ = redrawn(located(orientation=6))
    turned = Image.open(io.BytesIO(kept))
    assert turned.size == (40, 60)
    assert turned.getpixel((20, 2))[0] < 40 < 200 < turned.getpixel((20, 57))[0]


def test_a_large_picture_is_kept_smaller():
    kept, _ = redrawn(picture(size=(4000, 1000)))
    assert Image.open(io.BytesIO(kept)).size == (LONGEST_SIDE, LONGEST_SIDE // 4)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "the photo is none; allowed: JPEG, PNG, WEBP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "the photo is none"),
        (picture("GIF"), "the photo is none"),
        (picture("TIFF"), "the photo is none"),
        (bytes(MOST_BYTES + 1), "the photo has 10,000,001 bytes; allowed: up to 10,000,000"),
        (bomb(5_500, 5_500), "the photo has 5,500 x 5,500 pixels; allowed: up to 30,000,000"),
        (bomb(60_000, 60_000), "the photo is too large"),
        (bomb(100, 100), "the photo is broken"),
        (picture()[:-30], "the photo is broken"),
        (picture("PNG", save_all=True, append_images=[Image.new("RGB", (60, 40))]), "the photo is moving"),
    ],
    ids=["nothing", "svg", "gif", "tiff", "bytes", "pixels", "bomb", "empty", "cut off", "moving"],
)
def test_what_is_no_picture_or_too_large_is_refused(content, fault):
    with pytest.raises(Refused, match=fault):
        redrawn(content)


def test_a_photo_is_kept_once_with_its_case_and_named_by_what_was_sent(world, tmp_path):
    (number, other) = world.declare("red", "red")
    sent = located()
    with pytest.raises(Refused, match=f"case {number} was never in your hands"):
        world.desk.photos.keep(ANA, number, sent)
    assert not (tmp_path / "photos").exists()
    world.desk.queue.take(ANA, number)
    world.desk.queue.take(BEN, other)
    with ThreadPoolExecutor(4) as pool:
        names = set(pool.map(lambda _: world.desk.photos.keep(ANA, number, sent), range(8)))
    assert names == {hashlib.sha256(sent).hexdigest()}
    (name,) = names
    world.desk.photos.keep(BEN, other, sent)
    (file,) = (path for path in (tmp_path / "photos").rglob("*") if path.is_file())
    assert file.name == f"{hashlib.sha256(file.read_bytes()).hexdigest()}.jpg"
    photo = world.desk.photos.read(ANA, number, name)
    assert (photo.media_type, photo.content) == ("image/jpeg", redrawn(sent)[0])
    with pytest.raises(Refused, match=f"case {number} has no photo 00"):
        world.desk.photos.read(ANA, number, "00")
    world.desk.findings.add(ANA, world.finding(number, item_number=1, kind="origin", photos=(name,)))
    world.desk.findings.add(ANA, world.finding(number))
    world.desk.endings.release(ANA, number)
    assert world.desk.photos.read(SUE, number, name) == photo
    with pytest.raises(Refused, match="is closed"):
        world.desk.photos.read(BEN, number, name)
    actions = [event.action for event in world.desk.looking.open(SUE, number).history]
    assert actions.count("photo") == 1


def test_a_purged_photo_says_so_what_was_found_stays_and_one_sent_again_is_kept_anew(world):
    (number, other) = world.declare("red", "red")
    world.desk.queue.take(ANA, number)
    old, young = picture(), picture(size=(50, 50))
    sent = world.desk.photos.keep(ANA, number, old)
    world.clock.wait(days=40)
    world.desk.queue.take(ANA, number)
    later = world.desk.photos.keep(ANA, number, young)
    today = world.clock().date()
    things = world.desk.photos.before(today)
    assert list(things.values()) == [(world.clock() - timedelta(days=40)).astimezone(UTC).date()]
    world.desk.photos.purge(things, "purged by rule photos (30 days) on 2024-06-11")
    with pytest.raises(Refused, match=rf"photo {sent} was purged by rule photos \(30 days\) on 2024-06-11"):
        world.desk.photos.read(ANA, number, sent)
    assert world.desk.photos.read(ANA, number, later).content
    assert world.desk.photos.before(today) == {}
    world.desk.photos.keep(ANA, number, old)
    assert world.desk.photos.read(ANA, number, sent).content
    world.desk.photos.purge(things, "purged by rule photos (30 days) on 2024-06-11")
    assert world.desk.photos.read(ANA, number, sent).content  # it came again after the purge was planned
    world.desk.photos.purge(dict.fromkeys(things, today), "purged by rule photos (30 days) on 2024-07-21")
    world.desk.queue.take(ANA, other)
    world.desk.photos.keep(ANA, other, old)
    assert world.desk.photos.read(ANA, other, sent).content
