"""Makes the fonts of papers from two of Debian's: `python -m docs.make_fonts`.

It takes the packages fonts-dejavu-core and fonts-droid-fallback. Latin letters are those of DejaVu Sans, and characters
of GB 2312 from Droid Sans Fallback, in one file each for regular and bold, without hinting and layout features.
"""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from fontTools.merge import Merger
from fontTools.ttLib import TTFont
from fontTools.ttLib.scaleUpem import scale_upem

FOLDER = Path(__file__).parents[1] / "models" / "disclosure" / "fonts"
_DEBIAN = Path("/usr/share/fonts/truetype")
_CHINESE = _DEBIAN / "droid" / "DroidSansFallbackFull.ttf"
_LATIN = {"Regular": _DEBIAN / "dejavu" / "DejaVuSans.ttf", "Bold": _DEBIAN / "dejavu" / "DejaVuSans-Bold.ttf"}
_RANGES = ((0x20, 0x7E), (0xA0, 0x24F), (0x2010, 0x2027), (0x202F, 0x203A), (0x20AC, 0x20AC), (0x2190, 0x2193))
_SIGNS = (0x2212, 0x2248, 0x2260, 0x2264, 0x2265)
_FAMILY, _WHOLE, _POSTSCRIPT = 1, 4, 6  # numbers of names in a font


def main() -> None:
    """Write both fonts."""
    latin = {code for first, last in _RANGES for code in range(first, last + 1)} | set(_SIGNS)
    written = (bytes((high, low)).decode("gb2312", "ignore") for high in range(0xA1, 0xF8) for low in range(0xA1, 0xFF))
    chinese = {ord(each) for each in written if each} - latin
    with TemporaryDirectory() as folder:
        other, own = Path(folder) / "chinese.ttf", Path(folder) / "latin.ttf"
        _cut(_CHINESE, chinese, other)
        for style, source in _LATIN.items():
            _cut(source, latin, own)
            scaled = TTFont(other)
            scale_upem(scaled, TTFont(own)["head"].unitsPerEm)
            scaled.save(other)
            merged = Merger().merge([str(own), str(other)])
            named = {_FAMILY: "Tidewaiter Paper", _WHOLE: f"Tidewaiter Paper {style}"}
            for record in merged["name"].names:
                record.string = {**named, _POSTSCRIPT: f"TidewaiterPaper-{style}"}.get(record.nameID, record.string)
            merged.save(FOLDER / f"Paper-{style}.ttf")


def _cut(source: Path, codes: Iterable[int], target: Path) -> None:
    chosen = ",".join(f"{code:X}" for code in sorted(codes))
    options = ("--no-hinting", "--layout-features=", "--drop-tables+=GSUB,GPOS,GDEF,FFTM,kern,vhea,vmtx")
    command = (sys.executable, "-m", "fontTools.subset", source, f"--unicodes={chosen}", f"--output-file={target}")
    subprocess.run([*command, *options], check=True)


if __name__ == "__main__":
    main()
