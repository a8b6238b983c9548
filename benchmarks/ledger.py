"""How long it takes to verify and to open a ledger of many entries, and to add one more, with and without the signer.

Run by `make bench`. The entries are whole lives of versions: each is opened, signed by three people and promoted, with
one refused attempt in between. Figures are of this machine and this moment.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count, islice
from pathlib import Path
from statistics import median
from time import perf_counter

import measuring

from models.ledger.book import SERVICE, Book
from models.ledger.chain import Chain, Entry, check_head
from models.ledger.keys import Keys
from models.ledger.storage import Followed, Ledger, Table
from models.policy import Signoff, load
from models.signer import asking
from models.signer.asking import AskedLedger

ENTRIES = 100_000
APPENDS = 200
START = datetime(2024, 3, 5, tzinfo=UTC)


def entries(policy: Signoff) -> Iterator[Entry]:
    """Yield what a server would note, without end."""
    book = Book(policy)
    for version in count(1):
        at = START + timedelta(minutes=version)
        digest = sha256(str(version).encode()).hexdigest()
        given = {"at": at, "version": version, "digest": digest, "reason": "finds more at the same workload"}
        yield book.opening(version, digest, ("author",), at)
        yield Entry(**given, actor="author", action="approve", step=policy.steps[0].name, refusal="made it")
        for step in policy.steps:
            for number in range(step.signatures):
                actor = f"{step.role}-{number}"
                yield Entry(**given, actor=actor, roles=(step.role,), action="approve", step=step.name)
        yield Entry(**given, actor=SERVICE, action="promote")


def fill(ledger: Followed, made: Iterator[Entry]) -> None:
    with ledger.writing() as writer:
        for entry in made:
            writer.append(entry)


@contextmanager
def signer(keys: Keys, database: str) -> Generator[None]:
    """Run the process that has the key, as `tidewaiter up` starts it."""
    environment = {"SIGNOFF_FOLDER": str(keys.folder), "SIGNOFF_DATABASE_URI": database}
    command = [sys.executable, "-m", "models.signer.signer"]
    with subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.DEVNULL) as process:
        while not asking.answers(keys.socket_file):
            time.sleep(0.1)
        try:
            yield
        finally:
            process.terminate()


def append_each(ledger: Followed, made: Iterator[Entry]) -> list[float]:
    """Append each entry and return the seconds that each took."""
    return [seconds(lambda entry=entry: fill(ledger, iter([entry]))) for entry in made]


def verify(table: Table, keys: Keys, policy: Signoff) -> None:
    """Do what an audit does: check chain, signature, rules and head, from the rows and the public key alone."""
    rows, book = table.rows(), Book(policy)
    chain = Chain(keys.public_key)
    for entry in chain.extend(rows):
        book.apply(entry)
    check_head(rows, chain.head)


def seconds(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--entries", type=int, default=ENTRIES)
    arguments.add_argument("--database", help="for example postgresql:///test; without it, SQLite in a new folder")
    given = arguments.parse_args()
    policy = load().signoff
    with tempfile.TemporaryDirectory(prefix="tidewaiter-bench-") as folder:
        keys = Keys(Path(folder) / "signoff")
        keys.make()
        database = given.database or f"sqlite:///{folder}/mlflow.db"
        table = Table(database)
        made = entries(policy)
        ledger = Ledger(table, keys.private_key, keys.head_file, policy)
        filled = seconds(lambda: fill(ledger, islice(made, given.entries)))
        verified = seconds(lambda: verify(table, keys, policy))
        opened = seconds(lambda: Ledger(table, keys.private_key, keys.head_file, policy))
        appended = append_each(ledger, islice(made, APPENDS))
        with signer(keys, database):
            asked = AskedLedger(table, keys.public_key, keys.head_file, policy, keys.socket_file)
            through_signer = append_each(asked, islice(made, APPENDS))
        approved = seconds(lambda: list(ledger.book.approved(START)))
        table.close()
    print(f"{given.entries:,} entries, of {len(ledger.book.cases):,} versions")
    print(f"write, in one transaction      {filled:8.2f} s")
    print(f"verify all                     {verified:8.2f} s")
    print(f"open, as the server at start   {opened:8.2f} s")
    print(
        f"append one, median of {APPENDS}      {1000 * median(appended):8.2f} ms (worst {1000 * max(appended):.2f} ms)"
    )
    print(
        f"the same through the signer    {1000 * median(through_signer):8.2f} ms "
        f"(worst {1000 * max(through_signer):.2f} ms)"
    )
    print(f"find what waits for promotion  {1000 * approved:8.2f} ms")
    measuring.save(
        "ledger",
        ("sqlalchemy", "cryptography"),
        entries=given.entries,
        database="SQLite" if given.database is None else given.database.partition(":")[0],
        seconds={
            "write": filled,
            "verify": verified,
            "open": opened,
            "append one": median(appended),
            "append one, worst": max(appended),
            "append one through the signer": median(through_signer),
            "append one through the signer, worst": max(through_signer),
            "find what waits": approved,
        },
    )


if __name__ == "__main__":
    main()
