"""What a failing disk does to a file, without changing its times."""

import os
from pathlib import Path

HOW = ("cut", "flipped")


def spoil(file: Path, how: str) -> None:
    """Cut the last byte off, or flip a bit in the middle; the file's times and mode stay."""
    content, before = file.read_bytes(), file.stat()
    file.chmod(0o644)
    file.write_bytes(content[:-1] if how == "cut" else flip(content, 4 * len(content)))
    file.chmod(before.st_mode)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def flip(content: bytes, bit: int) -> bytes:
    """Return `content` with one bit flipped."""
    place, shift = divmod(bit, 8)
    return b"%s%c%s" % (content[:place], content[place] ^ 1 << shift, content[place + 1 :])
