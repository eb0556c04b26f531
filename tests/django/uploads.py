"""Uploads that a test records."""

import itertools
from typing import Any

from uploader.contrib.django import DjangoJournal
from uploader.journal import Entry, Lease
from uploader.model import Plan

_numbers = itertools.count(1)


def entry(**facts: Any) -> Entry:
    """Return an upload that is like no other."""
    number = next(_numbers)
    usual: dict[str, Any] = {
        "upload_id": f"{number:016x}",
        "identity": f"identity {number}",
        "transport": "tiktok",
        "account": "acme",
        "plan": Plan(100, 40, 3),
    }
    return Entry(**(usual | facts))


def leased(journal: DjangoJournal) -> tuple[Entry, Lease]:
    """Record an upload and lease it."""
    claim = journal.claim(entry(), 60.0)
    assert claim.lease is not None
    return claim.entry, claim.lease
