"""Uploads that are recorded with the application's own rows, and sent once those are committed.

Rule: what is rolled back leaves neither an entry nor a message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction

from uploader.contrib.django.running import get_uploader, journal_alias
from uploader.source import SourceInput
from uploader.transport import Destination


def enqueue(
    source: SourceInput,
    destination: Destination,
    *,
    send: Callable[[str], Any] | None = None,
    key: str | None = None,
    not_before: float | None = None,
    not_after: float | None = None,
) -> str:
    """Record an upload in the transaction that the caller is in, and return its id.

    `send` gets the id once the transaction is committed, such as `publish.delay` of a queue; at
    once where there is no transaction. A queue that cannot be reached then loses nothing: the entry
    is due, and is found by whoever sweeps the journal.
    """
    upload_id = get_uploader().enqueue(
        source, destination, key=key, not_before=not_before, not_after=not_after
    )
    if send is not None:
        handed = send
        transaction.on_commit(lambda: handed(upload_id), using=journal_alias(), robust=True)
    return upload_id
