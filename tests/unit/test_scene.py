"""What attacks are judged by: no row that anybody has committed goes unseen."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.attacks.scene import Database


def test_rows_are_read_again_after_a_commit_of_somebody_else(tmp_path: Path) -> None:
    file = tmp_path / "accounts.db"
    with closing(sqlite3.connect(file)) as server:
        server.execute("CREATE TABLE users (name TEXT)")
        server.execute("CREATE TABLE tidewaiter_ledger (entry TEXT)")
        with closing(Database(file)) as watched:
            before = watched.rows()
            assert before == {"accounts.db:users": []}
            with server:
                server.execute("INSERT INTO tidewaiter_ledger VALUES ('refused')")
            assert watched.rows() == before
            with server:
                server.execute("INSERT INTO users VALUES ('eve')")
            assert watched.rows() == {"accounts.db:users": [("eve",)]}
            with server:
                server.execute("UPDATE users SET name = 'ada'")
            assert (watched.rows(), before) == ({"accounts.db:users": [("ada",)]}, {"accounts.db:users": []})
