"""Makes the bundle that installs Tidewaiter where there is no network: `make bundle`.

    dist/tidewaiter-<version>-<commit>/
        install.sh         installs it; docs/operator.md, "Closed networks", says how
        code/              the committed code, with committed.json
        wheels/            every package that runs, for this machine's kind and Python, and what installs them
        requirements.txt   their versions and hashes
        PYTHON             which Python and which kind of machine they are for
        sbom.json          the same as CycloneDX, with licences
        audit.txt          known weaknesses of these versions on the day the bundle was made, or why they are not known
        docs/              the documentation
        SHA256SUMS         of all of the above

and the same as one file beside it, `.tar`. Each wheel is what requirements.lock names by hash, or was built from a
source archive that is.
"""

import json
import platform
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

from deploy import source
from models.evidence import digests, source_code

DIST = source.ROOT / "dist"
SITE = source.ROOT / "site"
SUMS = "SHA256SUMS"
_BIN = Path(sys.executable).parent


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
        say(audit(folder))
        say(_documentation(code, folder / "docs"))
        (folder / SUMS).write_text(sums(folder))
        name = f"tidewaiter-{_version(code)}-{commit[:12]}"
        return placed(folder, dist, name)


def runtime_lock(code: Path, scratch: Path) -> Path:
    """Write the part of the lock that runs and installs, without extras and tools; return the file.

    uv keeps versions and hashes of the lock that it finds in its place. ValueError if it had to add something.
    """
    whole, part = code / source_code.LOCK_FILE, scratch / "runtime.lock"
    shutil.copyfile(whole, part)
    options = ("--quiet", "--no-header", "--no-annotate", "--generate-hashes", "--group", "install")
    subprocess.run(
        [_BIN / "uv", "pip", "compile", *options, "--python", sys.executable, "pyproject.toml", "--output-file", part],
        cwd=code,
        check=True,
    )
    if added := set(_lines(part)) - set(_lines(whole)):
        raise ValueError(f"{source_code.LOCK_FILE} lacks {sorted(added)[0]!r}: `make lock` makes it anew")
    return part


def requirements(wheels: Path) -> str:
    """Return name, version and hash of each wheel of a folder, as pip and uv read them."""
    lines = []
    for wheel in sorted(wheels.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        lines.append(f"{name.replace('_', '-').lower()}=={version} --hash=sha256:{digests.file_digest(wheel)}\n")
    return "".join(lines)


def sums(folder: Path) -> str:
    """Return what `sha256sum --check` reads, of every file below a folder except of the sums themselves."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / SUMS)
    return "".join(f"{digests.file_digest(path)}  ./{path.relative_to(folder).as_posix()}\n" for path in paths)


def _lines(lock: Path) -> list[str]:
    found = (line.partition(" ;")[0].strip(" \\") for line in lock.read_text().splitlines())
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


def audit(folder: Path) -> str:
    """Write audit.txt, and return what it says first."""
    lines = (folder / "requirements.txt").read_text().splitlines(keepends=True)
    found = _weaknesses(lines[:1])
    if not unknown(found):  # whoever does not know the first one is not asked about the others
        found = _weaknesses(lines)
    report = audited(found, len(lines))
    (folder / "audit.txt").write_text(f"pip-audit, {datetime.now(UTC):%Y-%m-%d}\n{report}")
    return report.splitlines()[0]


def _weaknesses(lines: list[str]) -> list[dict[str, Any]]:
    """Return what pip-audit says of each of some requirements, or the one reason for which it says nothing."""
    options = ("--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json")
    with NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(lines)
        file.flush()
        done = subprocess.run(
            [_BIN / "pip-audit", *options, "--requirement", file.name], capture_output=True, text=True, check=False
        )
    try:
        return json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return [{"name": "pip-audit", "skip_reason": (done.stderr.strip().splitlines() or ["no word"])[-1]}]


def audited(found: list[dict[str, Any]], packages: int) -> str:
    """Return the report: how many of the packages nothing is known of, then each weakness, then each reason.

    >>> print(audited([{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "not found"}], 2))
    NOT AUDITED: of 1 of 2 packages nobody could say anything. Known weaknesses of the others: 0.
    b: not found
    """
    weak = [(each, one) for each in found for one in each.get("vulns", [])]
    known = sum("skip_reason" not in each for each in found)
    first = f"Known weaknesses of {packages} packages: {len(weak)}."
    if known < packages:
        first = (
            f"NOT AUDITED: of {packages - known} of {packages} packages nobody could say anything. "
            f"Known weaknesses of the others: {len(weak)}."
        )
    said = [f"{each['name']} {each['version']}: {one['id']}, {_mended(one)}" for each, one in weak]
    return "\n".join([first, *said, *(f"{each['name']}: {each['skip_reason']}" for each in unknown(found))])


def unknown(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those of which pip-audit could not be told anything."""
    return [each for each in found if "skip_reason" in each]


def _mended(weakness: dict[str, Any]) -> str:
    return f"mended in {', '.join(weakness['fix_versions'])}" if weakness["fix_versions"] else "not mended yet"


def _documentation(code: Path, docs: Path) -> str:
    if SITE.is_dir():
        shutil.copytree(SITE, docs)
        return "The documentation is in it as HTML."
    shutil.copytree(code / "docs", docs, ignore=shutil.ignore_patterns("*.py"))
    return "The documentation is in it as Markdown: there is no site/ here."


def _version(code: Path) -> str:
    return tomllib.loads((code / "pyproject.toml").read_text())["project"]["version"]


def placed(folder: Path, dist: Path, name: str) -> Path:
    """Move the bundle to its place, and pack it beside it; return the file."""
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
    digest = digests.file_digest(packed)
    print(f"{packed.relative_to(source.ROOT)}: {packed.stat().st_size / 1e6:,.0f} MB\nSHA-256 {digest}")  # noqa: T201


if __name__ == "__main__":
    main()
