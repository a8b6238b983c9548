"""Makes the bundle that installs Tidewaiter where there is no network: `make bundle`.

    dist/tidewaiter-<version>-<commit>/
        install.sh         installs it; docs/operator.md, "Closed networks", says how
        code/              the committed code, with SOURCE.json
        wheels/            every package that runs, for this machine's kind and Python, and what installs them
        requirements.txt   their versions and hashes
        PYTHON             which Python and which kind of machine they are for
        sbom.json          the same as CycloneDX, with licences
        audit.txt          known weaknesses of these versions on the day the bundle was made, or why they are not known
        docs/              the documentation
        SHA256SUMS         of all of the above

and the same as one file beside it, `.tar`. Each wheel is what requirements.lock names by hash, or was built from a source
archive that is.
"""

import hashlib
import platform
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy import source
from models.evidence import manifest

DIST = source.ROOT / "dist"
SITE = source.ROOT / "site"
SUMS = "SHA256SUMS"
_BIN = Path(sys.executable).parent
_AUDIT_S = 600


def make(dist: Path, say: Callable[[str], None]) -> Path:
    """Make the bundle in `dist`, in place of one of the same commit; return the `.tar`."""
    with TemporaryDirectory(prefix="tidewaiter-bundle-") as scratch:
        folder = Path(scratch) / "bundle"
        code = folder / "code"
        commit = source.lay(code)
        (folder / "install.sh").write_bytes((code / "deploy" / "install.sh").read_bytes())
        (folder / "install.sh").chmod(0o755)
        (folder / "PYTHON").write_text(f"{'.'.join(platform.python_version_tuple()[:2])} {platform.machine()}\n")
        say(f"Fetching the packages of commit {commit[:12]} ...")
        _wheels(runtime_lock(code, Path(scratch)), folder / "wheels")
        (folder / "requirements.txt").write_text(requirements(folder / "wheels"))
        say("Installing them without an index, for the list of what runs ...")
        _sbom(folder, Path(scratch))
        say(_audit(folder))
        say(_documentation(code, folder / "docs"))
        (folder / SUMS).write_text(sums(folder))
        name = f"tidewaiter-{_version(code)}-{commit[:12]}"
        return _placed(folder, dist, name)


def runtime_lock(code: Path, scratch: Path) -> Path:
    """Write the part of the lock that runs and installs, without extras and tools; return the file.

    uv keeps versions and hashes of the lock that it finds in its place. ValueError if it had to add something.
    """
    whole, part = code / manifest.LOCK_FILE, scratch / "runtime.lock"
    shutil.copyfile(whole, part)
    options = ("--quiet", "--no-header", "--no-annotate", "--generate-hashes", "--group", "install")
    subprocess.run(
        [_BIN / "uv", "pip", "compile", *options, "--python", sys.executable, "pyproject.toml", "--output-file", part],
        cwd=code,
        check=True,
    )
    if added := set(_lines(part)) - set(_lines(whole)):
        raise ValueError(f"{manifest.LOCK_FILE} lacks {sorted(added)[0]!r}: `make lock` makes it anew")
    return part


def requirements(wheels: Path) -> str:
    """Return name, version and hash of each wheel of a folder, as pip and uv read them."""
    lines = []
    for wheel in sorted(wheels.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        lines.append(f"{name.replace('_', '-').lower()}=={version} --hash=sha256:{manifest.file_digest(wheel)}\n")
    return "".join(lines)


def sums(folder: Path) -> str:
    """Return what `sha256sum --check` reads, of every file below a folder except of the sums themselves."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / SUMS)
    return "".join(f"{manifest.file_digest(path)}  ./{path.relative_to(folder).as_posix()}\n" for path in paths)


def _lines(lock: Path) -> list[str]:
    found = (line.strip(" \\") for line in lock.read_text().splitlines())
    return [line for line in found if line and not line.startswith("#")]


def _wheels(lock: Path, wheels: Path) -> None:
    options = ("--quiet", "--no-deps", "--require-hashes", "--wheel-dir", wheels)
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, "--requirement", lock], check=True)


def _sbom(folder: Path, scratch: Path) -> None:
    """Write sbom.json of an environment that has the bundle's wheels and nothing else."""
    environment = scratch / "environment"
    python = environment / "bin" / "python"
    subprocess.run([_BIN / "uv", "venv", "--quiet", "--python", sys.executable, environment], check=True)
    options = ("--quiet", "--offline", "--no-index", "--find-links", "wheels", "--require-hashes", "--python", python)
    subprocess.run([_BIN / "uv", "pip", "sync", *options, "requirements.txt"], cwd=folder, check=True)
    subprocess.run(
        [_BIN / "cyclonedx-py", "environment", "--output-reproducible", "--output-file", folder / "sbom.json", python],
        check=True,
    )


def _audit(folder: Path) -> str:
    """Write audit.txt; return a sentence of it. Where nobody could be asked, both say so."""
    options = ("--disable-pip", "--require-hashes", "--progress-spinner", "off", "--requirement", "requirements.txt")
    try:
        done = subprocess.run(
            [_BIN / "pip-audit", *options], cwd=folder, capture_output=True, text=True, timeout=_AUDIT_S, check=False
        )
        said, is_judged = done.stdout + done.stderr, "vulnerabilities found" in done.stderr.replace("ity ", "ities ")
    except subprocess.TimeoutExpired:
        said, is_judged = f"no answer within {_AUDIT_S} s\n", False
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    first = "" if is_judged else "NOT AUDITED: nobody who knows of weaknesses could be asked.\n"
    (folder / "audit.txt").write_text(f"pip-audit of {day}\n{first}\n{said}")
    if is_judged:
        return f"Audited: {done.stderr.splitlines()[0]}"
    return "NOT AUDITED: nobody who knows of weaknesses could be asked; audit.txt says so, and why."


def _documentation(code: Path, docs: Path) -> str:
    if SITE.is_dir():
        shutil.copytree(SITE, docs)
        return "The documentation is in it as HTML."
    shutil.copytree(code / "docs", docs, ignore=shutil.ignore_patterns("*.py"))
    return "The documentation is in it as Markdown: there is no site/ here."


def _version(code: Path) -> str:
    return tomllib.loads((code / "pyproject.toml").read_text())["project"]["version"]


def _placed(folder: Path, dist: Path, name: str) -> Path:
    dist.mkdir(exist_ok=True)
    shutil.rmtree(dist / name, ignore_errors=True)
    packed = dist / f"{name}.tar"
    with tarfile.open(packed, "w") as tar:
        tar.add(folder, name)
    shutil.move(folder, dist / name)
    return packed


def main() -> None:
    """Make it, and say where it is and what its SHA-256 is."""
    packed = make(DIST, print)
    with packed.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    print(f"{packed.relative_to(source.ROOT)}: {packed.stat().st_size / 1e6:,.0f} MB\nSHA-256 {digest}")  # noqa: T201


if __name__ == "__main__":
    main()
