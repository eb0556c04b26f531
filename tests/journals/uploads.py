"""Uploads for the tests of journals, like each other but for what tells them apart."""

from typing import Any

from uploader.journal import Entry, Lease
from uploader.journals import SqliteJournal
from uploader.model import Plan


def upload(upload_id: str, identity: str | None = None, **facts: Any) -> Entry:
    """Return an upload whose identity is that of its id, if none is given."""
    return Entry(
        upload_id=upload_id,
        identity=identity or f"identity of {upload_id}",
        transport="tiktok",
        account="acme",
        plan=Plan(100, 40, 3),
        **facts,
    )


def claimed(journal: SqliteJournal, entry: Entry, ttl: float = 1000.0) -> Lease:
    """Record an upload and return its lease."""
    lease = journal.claim(entry, ttl).lease
    assert lease is not None
    return lease
