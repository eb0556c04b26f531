"""What `publish` and `put` do alike: send each file to its destination, and tell.

Rule: knows neither URLs nor options; every file is checked before the first one goes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from uploader.api import Uploader
from uploader.cli import screen
from uploader.cli.checking import checked
from uploader.cli.drive import Job
from uploader.cli.journals import Place
from uploader.cli.running import Manner, run
from uploader.engine.prepare import is_accountless
from uploader.transport import CredentialSource, Destination


def send(
    pairs: Sequence[tuple[Path, Destination]],
    *,
    key: str | None,
    again: bool,
    manner: Manner,
    where: Place,
    variable: str,
    credentials: CredentialSource | None = None,
) -> int:
    """Send the files and return the exit code. Raises `BadInput` or `UploaderError` before."""

    def jobs_of(uploader: Uploader) -> list[Job]:
        found = checked(uploader, pairs)
        warn_of_no_account([destination for _, destination in pairs], key, where)
        wishes = {
            "wait": manner.wait,
            "time_limit": manner.time_limit,
            "key": key,
            "again": again,
        }
        return [file.job(uploader, **wishes) for file in found]

    return run(jobs_of, manner=manner, where=where, credentials=credentials, variable=variable)


def warn_of_no_account(destinations: Iterable[Destination], key: str | None, where: Place) -> None:
    """Warn where only the token tells whose upload it is, and a journal remembers it."""
    unnamed = any(each.account is None and not is_accountless(each) for each in destinations)
    if unnamed and key is None and where.journal is not None:
        screen.remark(
            "warning: no --account is named: with another token, the same video would be taken for"
            " another one and posted again"
        )
