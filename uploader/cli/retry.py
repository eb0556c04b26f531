"""`uploader retry`: failed uploads are recorded anew, and sent by whoever resumes what waits.

Rule: nothing is recorded before somebody has seen how many they are.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from uploader.cli import journals, screen
from uploader.cli.exits import Exit
from uploader.cli.times import show_moment
from uploader.engine.retrying import Lost, Retry
from uploader.engine.retrying import retry as again
from uploader.errors import ConfigurationError


def retry(
    wanted: Lost, *, failed: bool, dry_run: bool, yes: bool, journal: Path | None, json: bool
) -> int:
    """Take lost uploads up again; the exit code is 1 when some of them cannot be."""
    if not failed:
        raise ConfigurationError("which uploads are to be tried again is not said").hint(
            "give --failed; what is unknown is never sent again before somebody has looked"
        )
    where, now = journals.place(journal), time.time()
    with journals.opened(where) as book:
        meant = again(book, wanted, now=now, dry_run=True)
        able = [each for each in meant if not each.why_not]
        if dry_run or not able:
            return _told(meant, dry_run=dry_run, json=json)
        if not yes:
            _confirm(len(able), json=json)
        return _told(again(book, wanted, now=now, dry_run=False), dry_run=False, json=json)


def _confirm(count: int, *, json: bool) -> None:
    what = f"{count:,} upload{'s' if count != 1 else ''}"
    if json or not sys.stdin.isatty():
        raise ConfigurationError(f"{what} would be sent again, and nobody can be asked").hint(
            "look with --dry-run, then give --yes"
        )
    typer.confirm(f"send {what} again?", abort=True, err=True)


def _told(retries: Sequence[Retry], *, dry_run: bool, json: bool) -> int:
    left = [each for each in retries if each.why_not]
    code = Exit.FAILED if left else Exit.DONE
    if json:
        documents = [_document(each) for each in retries]
        screen.document({"exit_code": int(code), "dry_run": dry_run, "retries": documents})
        return code
    for each in retries:
        screen.say(screen.plain(_line(each, dry_run=dry_run)))
    recorded = sum(each.upload_id is not None for each in retries)
    if dry_run:
        screen.remark(f"{len(retries) - len(left):,} would be sent again, {len(left):,} cannot be")
    else:
        screen.remark(f"recorded anew: {recorded:,} uploads; {len(left):,} cannot be sent again")
    if recorded:
        screen.remark(f"they are sent by: {screen.command()} resume --all")
    return code


def _line(each: Retry, *, dry_run: bool) -> str:
    failed = each.failed
    words = f"{failed.upload_id}  {failed.account or ''}  {failed.name}  {_code(each)}"
    if each.why_not:
        return f"{words}: not again: {each.why_not}"
    return f"{words}  failed {show_moment(failed.updated)}" + (
        "" if dry_run else f", now {each.upload_id}"
    )


def _document(each: Retry) -> dict[str, Any]:
    failed = each.failed
    return {
        "failed": failed.upload_id,
        "upload_id": each.upload_id,
        "why_not": each.why_not or None,
        "transport": failed.transport,
        "account": failed.account,
        "name": failed.name,
        "error": _code(each),
    }


def _code(each: Retry) -> str:
    error = each.failed.error or {}
    return str(error.get("vendor_code") or error.get("code") or "")
