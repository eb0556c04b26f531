"""What Cloud Storage's own reasons ask of a human, and the sums that must agree.

Rule: pure; the meaning of the statuses is the same for all of Google's APIs, see
`transports.google`. https://cloud.google.com/storage/docs/json_api/v1/status-codes
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from uploader.errors import DigestMismatchError, Recovery

HINTS: Final = {
    "conditionNotMet": "another generation of the object is there; if an answer was lost, it may be"
    " this very upload",
    "forbidden": "the credential needs storage.objects.create on the bucket, and"
    " storage.objects.delete to overwrite",
    "notFound": "there is no such bucket, or the credential may not know of it",
    "userProjectMissing": "the bucket is paid by who asks: give user_project",
}


def check_sums(operation: str, expected: Mapping[str, str], stored: Mapping[str, Any]) -> None:
    """Raise `DigestMismatchError` when the stored object has another sum than was sent."""
    for name, value in expected.items():
        told = stored.get(name)
        if told is not None and told != value:
            raise DigestMismatchError(
                f"{operation}: the stored object has {name} {told}, {value} was sent",
                operation=operation,
                recovery=Recovery.NONE,
            ).hint("the object is there, with other bytes: delete it and upload it again")
