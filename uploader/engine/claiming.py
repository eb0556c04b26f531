"""Finds out whether an upload was made before, and takes the right to drive it.

Rule: nothing is posted twice. What is done is answered from the journal, what another run drives is
refused, what was interrupted goes on. Blocking: reads files and the journal.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from uploader.engine.content import check_parts, fingerprint, whole_digest
from uploader.engine.logbook import LEASE_TTL
from uploader.engine.prepare import Prepared, check_credentials, content_of, is_accountless
from uploader.engine.resuming import ADOPTED
from uploader.errors import (
    ConfigurationError,
    JournalError,
    LeaseHeldError,
    SourceChangedError,
    UploaderError,
)
from uploader.identity import identity
from uploader.journal import ENDED, STREAM, Claim, Entry, Journal, Lease, State
from uploader.model import Outcome, SourceFacts, UploadResult
from uploader.secret import Secret
from uploader.source import SourceInput, describe, references
from uploader.transport import CredentialSource, Destination

LOG = logging.getLogger("uploader")
Rebuild: TypeAlias = Callable[[str, Mapping[str, Any]], Destination]
CONFIRMED = ENDED | {State.PROCESSING}
"""States in which a match suppresses a post: every byte was sent, or none will be."""


@dataclass(slots=True)
class Claimed:
    """An upload that this run may drive (`prepared`, `lease`), or whose result is `recorded`."""

    prepared: Prepared | None
    entry: Entry
    lease: Lease | None
    recorded: UploadResult | None = None
    fresh: bool = False
    """Whether nothing was ever sent for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a caller says about identity and time."""

    key: str | None = None
    again: bool = False
    not_before: float | None = None
    not_after: float | None = None


def claim(prepared: Prepared, journal: Journal, wish: Wish) -> Claimed:
    """Record the upload or find it recorded; raise `LeaseHeldError` when another run drives it."""
    entry = draft(prepared, journal, wish)
    found = journal.claim(entry, LEASE_TTL, again=wish.again)
    if found.entry.state in CONFIRMED and not found.fresh:
        if not _checked(prepared, journal, found):
            entry, found = _claim_apart(entry, found, prepared, journal, wish)
        if found.entry.state in ENDED and not found.fresh:
            return Claimed(prepared, found.entry, None, recorded(found.entry))
    if found.fresh:
        return Claimed(prepared, found.entry, found.lease, fresh=True)
    if found.lease is None:
        raise _held(found.entry)
    return Claimed(_adopt(prepared, journal, found.entry, found.lease), found.entry, found.lease)


def claim_stream(prepared: Prepared, journal: Journal, wish: Wish) -> Claimed:
    """Record the upload of a stream, which only a key makes the same as another one.

    What an earlier run left behind under the key comes back without a source: it can be ended, not
    gone on with.
    """
    whose = wish.key if wish.key is not None else prepared.upload_id
    entry = _entry(prepared, journal, wish, wish.key, fingerprint=f"{STREAM}{whose}")
    found = journal.claim(entry, LEASE_TTL, again=wish.again)
    if found.fresh:
        return Claimed(prepared, found.entry, found.lease, fresh=True)
    if found.entry.state in ENDED:
        return Claimed(None, found.entry, None, recorded(found.entry))
    if found.lease is None:
        raise _held(found.entry)
    return Claimed(_without_source(found.entry, prepared.destination), found.entry, found.lease)


def _held(entry: Entry) -> LeaseHeldError:
    holder = entry.holder or "another run"
    return LeaseHeldError(
        f"the upload {entry.upload_id} is being driven by {holder}",
        holder=holder,
        upload_id=entry.upload_id,
    ).hint("it goes on there; look at it with: uploader show " + entry.upload_id)


def enqueue(prepared: Prepared, journal: Journal, wish: Wish, rebuild: Rebuild) -> str:
    """Record an upload to be sent later; return its id, or that of the same upload."""
    entry = draft(prepared, journal, wish)
    if entry.source is None:
        if not hasattr(prepared.destination, "manifest"):
            raise ConfigurationError("only a file with a path can wait in the journal").hint(
                "write the content to a file first"
            )
        # What the journal keeps must be enough to send it by.
        rebuild(entry.transport, entry.destination).transport().content_type(prepared.facts)
    found = journal.add(entry)
    known = found.upload_id != entry.upload_id and found.state in CONFIRMED
    if known and not _same_content(prepared, journal, found):
        found = journal.add(_told_apart(entry, found, prepared))
    return found.upload_id


def _checked(prepared: Prepared, journal: Journal, found: Claim) -> bool:
    """Compare whole content before a match counts; a file that cannot be read holds no lease."""
    try:
        return _same_content(prepared, journal, found.entry)
    except BaseException:
        if found.lease is not None:
            journal.release(found.lease)
        raise


def _claim_apart(
    entry: Entry, found: Claim, prepared: Prepared, journal: Journal, wish: Wish
) -> tuple[Entry, Claim]:
    """Claim another upload for equal samples of other content, known by its whole digest."""
    if found.lease is not None:
        journal.release(found.lease)
    entry = _told_apart(entry, found.entry, prepared)
    return entry, journal.claim(entry, LEASE_TTL, again=wish.again)


def _told_apart(entry: Entry, found: Entry, prepared: Prepared) -> Entry:
    """Return the entry with an identity of its own, by its whole digest."""
    if entry.key is not None:
        raise ConfigurationError(
            f"the key {entry.key!r} stands for other content of the same size already",
            upload_id=found.upload_id,
        ).hint("use a key of its own for each post")
    facts = prepared.facts
    digest = whole_digest(prepared.source, facts.name, facts.size)
    told_apart = hashlib.sha256(f"{entry.identity} {digest}".encode()).hexdigest()
    return replace(entry, identity=told_apart, digest=digest)


def take(
    upload_id: str,
    journal: Journal,
    rebuild: Rebuild,
    *,
    source: SourceInput | None,
    credentials: CredentialSource | None,
    look_only: bool,
) -> Claimed:
    """Lease a recorded upload to go on with it.

    `rebuild(transport, fields)` returns its destination. Raises `JournalError` for an unknown id,
    `LeaseHeldError`, `ConfigurationError` and `SourceError`.
    """
    known = journal.get(upload_id)
    if known is None:
        raise JournalError(f"the journal has no upload {upload_id}", upload_id=upload_id)
    if known.state in ENDED:
        # Once pruned, its destination cannot be built any more.
        return Claimed(None, known, None, recorded(known))
    destination: Destination = rebuild(known.transport, known.destination)
    check_credentials(destination, credentials)
    entry, lease = journal.take(upload_id, LEASE_TTL)
    try:
        if look_only or entry.state is State.PROCESSING or entry.is_stream:
            return Claimed(_without_source(entry, destination), entry, lease)
        return Claimed(_with_source(entry, destination, source), entry, lease)
    except BaseException:
        journal.release(lease)
        raise


def draft(prepared: Prepared, journal: Journal, wish: Wish) -> Entry:
    """Return the entry that a journal would hold of a prepared upload."""
    facts, key, session = prepared.facts, wish.key, prepared.session
    print_ = fingerprint(prepared.source, facts.name, facts.size)
    if session is not None:
        # Opened elsewhere: the session is the upload, whatever is sent into it.
        opened = "".join(secret.reveal() for _, secret in sorted(session.secrets.items()))
        key = f"{ADOPTED}{journal.stand_in(opened.encode())}"
    return _entry(prepared, journal, wish, key, fingerprint=print_)


def _entry(
    prepared: Prepared, journal: Journal, wish: Wish, key: str | None, *, fingerprint: str
) -> Entry:
    destination, session = prepared.destination, prepared.session
    return Entry(
        upload_id=prepared.upload_id,
        identity=identity(
            transport=prepared.transport.name,
            origin=destination.origin,
            account=_account(destination, journal),
            fields=destination.identity_fields(),
            fingerprint=fingerprint,
            key=key,
        ),
        transport=prepared.transport.name,
        account=destination.account,
        key=key,
        name=prepared.facts.name,
        source=_path(prepared.source),
        fingerprint=fingerprint,
        content_type=prepared.content_type,
        destination=destination.fields(),
        plan=prepared.plan,
        session=session,
        reference=prepared.abilities.refer(session),
        state=State.QUEUED if session is None else State.SENDING,
        not_before=wish.not_before,
        not_after=wish.not_after,
    )


def recorded(entry: Entry) -> UploadResult:
    """Return the result that the journal has of an upload."""
    error = None
    if entry.error is not None:
        error = UploaderError(str(entry.error.get("message", "")), upload_id=entry.upload_id)
        error.code = str(entry.error.get("code", error.code))
    return UploadResult(
        outcome=entry.outcome or Outcome.SUSPENDED,
        upload_id=entry.upload_id,
        transport=entry.transport,
        account=entry.account,
        location=entry.location,
        fields=entry.fields,
        error=error,
        size=entry.plan.size,
        parts=entry.plan.count,
    )


def _account(destination: Destination, journal: Journal) -> str:
    if destination.account is not None:
        return destination.account
    if is_accountless(destination):
        return ""
    token = destination.access_token
    if token is None:
        raise ConfigurationError("credentials are given, but no account that they are for").hint(
            "give account=: it tells whose upload this is, whatever the token"
        )
    LOG.warning(
        "no account is named: after a token rotation the same upload would count as another one"
    )
    return "token " + journal.stand_in(Secret(token).reveal().encode())


def _adopt(prepared: Prepared, journal: Journal, entry: Entry, lease: Lease) -> Prepared:
    """Go on with a recorded upload; its cut stands once it was opened."""
    prepared.upload_id = entry.upload_id
    prepared.session = entry.session
    if entry.session is not None:
        prepared.plan, prepared.content_type = entry.plan, entry.content_type
    elif journal.parts(entry.upload_id):
        # An earlier session has died: its parts still prove the content, in their own cut.
        prepared.plan = entry.plan
    elif entry.plan != prepared.plan:
        journal.save(lease, {"plan": prepared.plan})
    return prepared


def _same_content(prepared: Prepared, journal: Journal, entry: Entry) -> bool:
    """Compare whole content, part by part, before a match suppresses a post."""
    if entry.plan.size != prepared.facts.size:
        return False
    parts = journal.parts(entry.upload_id)
    return check_parts(prepared.source, prepared.facts.name, entry.plan, parts) is None


def _with_source(entry: Entry, destination: Destination, source: SourceInput | None) -> Prepared:
    given = source if source is not None else entry.source
    if given is None and hasattr(destination, "manifest"):
        given = content_of(None, destination)
    if given is None:
        raise ConfigurationError(
            f"the upload {entry.upload_id} has no path in the journal", upload_id=entry.upload_id
        ).hint("give the file: resume(upload_id, source)")
    facts, opened = describe(given)
    if fingerprint(opened, facts.name, facts.size) != entry.fingerprint:
        raise SourceChangedError(
            f"{facts.name} is not the file that the upload {entry.upload_id} was begun with",
            upload_id=entry.upload_id,
        )
    return _prepared(entry, destination, opened, facts)


def _without_source(entry: Entry, destination: Destination) -> Prepared:
    return _prepared(entry, destination, None, SourceFacts(entry.name, entry.plan.size))


def _prepared(
    entry: Entry, destination: Destination, source: SourceInput | None, facts: SourceFacts
) -> Prepared:
    return Prepared(
        upload_id=entry.upload_id,
        source=source,
        facts=facts,
        destination=destination,
        transport=destination.transport(),
        content_type=entry.content_type,
        plan=entry.plan,
        session=entry.session,
    )


def _path(source: SourceInput | None) -> str | None:
    reference = references.reference_of(source)
    if reference is not None:
        return reference
    if isinstance(source, str | os.PathLike):
        return str(Path(source).absolute())
    return None
