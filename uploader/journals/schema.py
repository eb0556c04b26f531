"""The SQLite schema, its version, and how an older one becomes the newest.

Rule: each migration is one transaction; a newer schema than this code knows is refused untouched. A
migration must leave an older release that is running able to record what it drives to its end.
"""

from __future__ import annotations

from typing import Final

APPLICATION: Final = 0x6D6D7570
"""The application_id of a journal's file, "mmup": no other program's file is ever taken for one."""

V1: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE uploads (
    upload_id TEXT NOT NULL PRIMARY KEY,
    identity TEXT NOT NULL,
    transport TEXT NOT NULL,
    account TEXT,
    key TEXT,
    name TEXT NOT NULL,
    source TEXT,
    fingerprint TEXT NOT NULL,
    digest TEXT,
    content_type TEXT NOT NULL,
    destination TEXT NOT NULL,
    size INTEGER NOT NULL,
    part_size INTEGER NOT NULL,
    parts INTEGER NOT NULL,
    session TEXT,
    sealed TEXT,
    session_created REAL,
    state TEXT NOT NULL,
    confirmed INTEGER NOT NULL DEFAULT 0,
    location TEXT,
    fields TEXT NOT NULL DEFAULT '{}',
    error TEXT,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    not_before REAL,
    not_after REAL,
    runs INTEGER NOT NULL DEFAULT 0,
    lease_owner TEXT,
    lease_holder TEXT,
    lease_until REAL NOT NULL DEFAULT 0,
    fence INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX uploads_identity ON uploads (identity);
CREATE INDEX uploads_state ON uploads (state, updated);
CREATE TABLE parts (
    upload_id TEXT NOT NULL REFERENCES uploads ON DELETE CASCADE,
    part INTEGER NOT NULL,
    digest TEXT,
    receipt TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (upload_id, part)
) WITHOUT ROWID;
"""

V2: Final = """
ALTER TABLE uploads ADD COLUMN reference TEXT;
CREATE INDEX uploads_reference ON uploads (transport, reference) WHERE reference IS NOT NULL;
CREATE TABLE pauses (
    transport TEXT,
    account TEXT,
    reason TEXT NOT NULL,
    since REAL NOT NULL,
    until REAL,
    set_by TEXT NOT NULL,
    trial REAL
);
"""
"""An older release writes no `reference` and obeys no pause; it starts nothing new here either."""

MIGRATIONS: Final = (V1, V2)
"""Script n leads from version n to version n + 1."""
VERSION: Final = len(MIGRATIONS)
