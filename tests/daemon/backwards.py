# SPDX-License-Identifier: Apache-2.0
"""A database as an earlier version of ioasidd had it."""

import contextlib
import pathlib
import sqlite3

SQL = pathlib.Path(__file__).resolve().parents[2] / "schema/sql"


def take_back(state, version):
    """Make state.db one of that version, with what that version knows."""
    now, before = state / "state.db", state / "before.db"
    with contextlib.closing(sqlite3.connect(before)) as db:
        for file in sorted(SQL.glob("*.sql"))[:version]:
            db.executescript(file.read_text(encoding="utf-8"))
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("ATTACH ? AS later", (str(now),))
        for table, in db.execute(
                "SELECT name FROM main.sqlite_master "
                "WHERE type = 'table'").fetchall():
            columns = ", ".join(
                name for _, name, *_ in
                db.execute(f"PRAGMA main.table_info({table})"))
            db.execute(f"INSERT OR REPLACE INTO main.{table} ({columns}) "
                       f"SELECT {columns} FROM later.{table}")
        db.commit()
    for name in ("state.db", "state.db-wal"):
        (state / name).unlink(missing_ok=True)
    before.rename(now)
