"""`uploader account`: accounts log in, are listed, and are let go of.

Rule: what an account logs in with, its transport's factory knows. Nothing that is irreversible is
done without --yes, and nothing is erased before the service has taken the consent back.
"""

from __future__ import annotations

import secrets
import time
import webbrowser
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

from uploader import registry
from uploader.cli import accounts, journals, screen
from uploader.cli.credentials import access_token
from uploader.cli.exits import Exit
from uploader.cli.states import MAY_BE_POSTED
from uploader.cli.times import iso, show_moment
from uploader.errors import ConfigurationError
from uploader.journal import Entry, Journal, State
from uploader.journals import rules
from uploader.tokens import AccountState, AccountTokens

ALL: Final = 10_000_000
TTL: Final = 30.0


def login(
    account: str,
    *,
    to: str,
    base_url: str | None,
    scopes: Sequence[str],
    port: int,
    browser: bool,
    timeout: float,
    json: bool,
) -> int:
    """Let a user consent in a browser and keep the tokens; return the exit code."""
    door = accounts.door(registry.load(to), accounts.opened(), {"base_url": base_url})

    def show(page: str) -> None:
        screen.remark("Log in and agree on this page:")
        screen.remark(f"  {page}")
        if browser:
            webbrowser.open(page)

    wanted = {"scopes": tuple(scopes)} if scopes else {}
    saved = door.login(account, show=show, port=port, timeout=timeout, **wanted)
    return _connected(saved, json=json)


def add(
    account: str, *, to: str, base_url: str | None, refresh_token_file: Path, json: bool
) -> int:
    """Take over a consent that was given elsewhere; return the exit code."""
    door = accounts.door(registry.load(to), accounts.opened(), {"base_url": base_url})
    return _connected(door.add(account, access_token("", refresh_token_file)), json=json)


def listing(*, to: str | None, json: bool) -> int:
    """List the accounts that have logged in here; return the exit code."""
    to = None if to is None else accounts.kept_as(to)
    store = accounts.found()
    found = store.list(to) if store is not None else []
    if json:
        screen.document({"exit_code": 0, "accounts": [_document(each) for each in found]})
    elif not found:
        screen.remark(f"no account has logged in here: {screen.command()} account login NAME")
    else:
        for each in found:
            screen.say(screen.plain(_line(each)))
    return Exit.DONE


def remove(account: str, *, to: str, json: bool) -> int:
    """Delete an account's tokens here alone; return the exit code."""
    store, to = accounts.opened(), accounts.kept_as(to)
    with store.lease(to, account, TTL):
        if not store.remove(to, account):
            raise _nobody(account)
    return _said(
        {"removed": account},
        f"removed {account}: its tokens are deleted here, and the service still holds its consent",
        json=json,
    )


def forget(account: str, *, to: str, yes: bool, journal: Path | None, json: bool) -> int:
    """Give a consent back, and erase the account here; return the exit code."""
    where, to = journals.place(journal), accounts.kept_as(to)
    with journals.opened(where) if where.exists else nullcontext() as book:
        tokens, entries = accounts.known(to, account), _of(book, to, account)
        if tokens is None and not entries:
            raise _nobody(account)
        if not yes:
            raise ConfigurationError(
                f"{account}: {len(entries):,} uploads would be erased, and its consent given back"
            ).hint("give --yes when you want that; it cannot be undone")
        asked = _revoked(to, account, tokens)
        for entry in entries:
            assert book is not None
            _erase(book, entry)
    given_back = "its consent is given back" if asked else "there was no consent to give back"
    return _said(
        {"forgotten": account, "revoked": asked, "erased": len(entries)},
        f"forgot {account}: {given_back}, {len(entries):,} uploads are erased",
        json=json,
    )


def _of(book: Journal | None, transport: str, account: str) -> list[Entry]:
    """Return an account's uploads; raise `LeaseHeldError` when a run drives one of them."""
    entries = [
        entry
        for entry in (book.latest(ALL) if book is not None else ())
        if entry.transport == transport and entry.account == account
    ]
    for entry in entries:
        if entry.holder is not None:
            raise rules.held(entry.upload_id, entry.holder).hint("stop that run first")
    return entries


def _revoked(to: str, account: str, tokens: AccountTokens | None) -> bool:
    """Give the consent back, as far as there is one."""
    if tokens is None:
        return False
    asked: bool = accounts.door(registry.load(to), accounts.opened(), tokens.fields).revoke(account)
    return asked


def _erase(book: Journal, entry: Entry) -> None:
    """Erase an upload, but for the digests by which it would be recognised.

    What stays is recorded before the rest goes: a crash between the two loses nothing.
    """
    if entry.state in MAY_BE_POSTED - {State.OPENING}:
        bare = Entry(
            upload_id=secrets.token_hex(8),
            identity=entry.identity,
            transport=entry.transport,
            account=None,
            fingerprint=entry.fingerprint,
            digest=entry.digest,
            plan=entry.plan,
            fields={"erased": str(entry.state)},
        )
        claim = book.claim(bare, TTL, again=True)
        assert claim.lease is not None
        for part in book.parts(entry.upload_id):
            book.save(claim.lease, {}, part=type(part)(part.index, part.digest))
        book.save(claim.lease, {"state": State.DONE}, durable=True)
        book.release(claim.lease)
    book.forget(entry.upload_id)


def _connected(saved: AccountTokens, *, json: bool) -> int:
    if json:
        screen.document({"exit_code": 0, "account": _document(saved)})
    else:
        screen.say(screen.plain(_line(saved)))
    return Exit.DONE


def _said(facts: dict[str, Any], text: str, *, json: bool) -> int:
    if json:
        screen.document({"exit_code": 0, **facts})
    else:
        screen.say(screen.plain(text))
    return Exit.DONE


def _document(tokens: AccountTokens) -> dict[str, Any]:
    return {
        "transport": tokens.transport,
        "account": tokens.account,
        "state": str(tokens.state),
        "reason": tokens.reason or None,
        "scopes": list(tokens.scopes),
        "expires": None if tokens.expires is None else iso(tokens.expires),
        "refresh_expires": None if tokens.refresh_expires is None else iso(tokens.refresh_expires),
    }


def _line(tokens: AccountTokens) -> str:
    head = f"{tokens.account}  {tokens.transport}  {tokens.state}"
    if tokens.state is AccountState.REVOKED:
        again = f"{screen.command()} account login {tokens.account}"
        return f"{head}: {tokens.reason} (log in again: {again})"
    scopes = ",".join(tokens.scopes) or "no scopes"
    if tokens.refresh_expires is None:
        return f"{head}  {scopes}"
    end = "lapsed" if tokens.refresh_expires <= time.time() else "logs in again by"
    return f"{head}  {scopes}  {end} {show_moment(tokens.refresh_expires)}"


def _nobody(account: str) -> ConfigurationError:
    return ConfigurationError(f"no account {account} has logged in here").hint(
        f"{screen.command()} account list shows those that have"
    )
