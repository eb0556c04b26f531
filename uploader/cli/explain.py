"""`uploader explain`: what a code of an error means, in words for whoever publishes.

Rule: a destination's own codes come from its factory, those of this package stand here; both are
found by any of their spellings.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from uploader import errors, registry
from uploader.cli import screen
from uploader.cli.exits import Exit
from uploader.errors import ConfigurationError, Recovery
from uploader.transport import CodeMeaning

OURS: Final = "uploader"
_BY_ITSELF: Final = {
    Recovery.NONE: "nothing is tried again: somebody has to act",
    Recovery.RETRY: "it is tried again, with growing pauses",
    Recovery.RESYNC: "the destination is asked what it holds, and the upload goes on there",
    Recovery.RESTART: "a new upload is opened, unless this one may have been published",
}
_WORDS: Final[tuple[tuple[type[errors.UploaderError], str, str], ...]] = (
    (errors.UploaderError, "something went wrong", "read the sentence beside the code"),
    (errors.ConfigurationError, "what was asked for cannot be; nothing was sent",
     "correct what the message names and try again"),
    (errors.PlanError, "the file does not fit the destination's limits; nothing was sent",
     "make the file smaller, or choose another size of parts"),
    (errors.PreflightError, "the destination would refuse it, for the reasons named; nothing was"
     " sent", "mend each of the reasons, or try all the same with --no-preflight"),
    (errors.SourceError, "the file cannot be read", "give the path of a readable file"),
    (errors.SourceChangedError, "the file changed while it was sent, so it was not published",
     "upload a file only when nothing writes to it any more"),
    (errors.SourceReadError, "reading the file failed", "check the disk it lies on"),
    (errors.JournalError, "the record of uploads cannot be read or written",
     "check the disk it lies on; nothing was overwritten"),
    (errors.TokenStoreError, "the logins of accounts cannot be read or saved",
     "check where they are kept; nothing was overwritten"),
    (errors.TokensChangedError, "the account's login was renewed by somebody else meanwhile",
     "nothing: theirs is newer and is used"),
    (errors.LimitsError, "the limits that machines share cannot be counted",
     "check the server that counts them: nothing is opened uncounted, and uploads wait"),
    (errors.AccountError, "no login is to be had for the account now",
     "its uploads wait: log the account in, or wait"),
    (errors.AccountRevokedError, "the creator has taken the app's access back, or it has ended",
     "log the account in again; its uploads then go on"),
    (errors.LeaseHeldError, "another run is busy with this upload", "it goes on there: wait"),
    (errors.LeaseLostError, "another run has taken this upload over", "it goes on there: wait"),
    (errors.TransportError, "the destination, or the way to it, failed",
     "read the sentence beside the code"),
    (errors.NetworkError, "the connection broke or was never made",
     "check the network; a resume goes on where it stopped"),
    (errors.ServerError, "the destination failed on its side", "wait, then resume it"),
    (errors.RateLimitedError, "the destination, or a limit of the account, wants fewer requests",
     "wait: it goes on by itself, or with a resume when its time has come"),
    (errors.OffsetMismatchError, "the destination holds other bytes than expected",
     "nothing: it is asked what it has, and the upload goes on there"),
    (errors.SessionExpiredError, "the time for this upload is over",
     "run it again: a new upload gets a new address"),
    (errors.DigestMismatchError, "the destination received other bytes than were sent",
     "nothing: they are sent again"),
    (errors.AuthenticationError, "the login is missing, expired, or not allowed to do this",
     "log the account in again"),
    (errors.RejectedError, "the destination said no; its own code is in `vendor_code`",
     "explain that code"),
    (errors.ProtocolError, "the destination answered what its documentation does not know",
     "tell the developers; look at the account before sending it again"),
    (errors.OutcomeUnknownError, "it may be posted, and nobody has told",
     "look at the account; resolve asks again; never send it again before that"),
    (errors.RetriesExhaustedError, "it was tried often enough; the last failure is in `last`",
     "resume it later: it goes on where it stopped"),
    (errors.PausedError, "somebody has paused uploads, or too many accounts were refused alike",
     "read who and why; nothing is lost, and it goes on when the pause is lifted"),
    (errors.UploadCancelledError, "it was stopped by somebody here",
     "resume or publish it when it is wanted"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One meaning of a code."""

    code: str
    of: str
    says: str
    advice: str
    error: str
    recovery: str
    remedy: str = ""
    where: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    spellings: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, str]:
        """What it means, and what to do."""
        return _sentence(self.says), _sentence(self.advice)

    @property
    def names(self) -> tuple[str, ...]:
        return (self.code, *self.spellings)


def explain(code: str, *, json: bool) -> int:
    """Show what a code means; raise `ConfigurationError` with similar ones when nobody knows it."""
    known = list(_known())
    wanted = code.strip().lower().replace(" ", "_")
    found = [each for each in known if wanted in each.names]
    if not found and wanted.isdecimal():
        found = [each for each in known if int(wanted) in each.statuses]
    if not found:
        raise _unknown(code, wanted, known)
    if json:
        screen.document({"code": code, "meanings": [asdict(each) for each in found]})
    else:
        for each in found:
            screen.stdout().print("\n".join(_page(each)), soft_wrap=True)
    return Exit.DONE


def meaning_of(transport: str, error: Mapping[str, Any]) -> Found | None:
    """Return what an upload's recorded error means, `None` when nobody knows.

    The destination's own word counts before ours, and what failed last before that it was given up.
    """
    last = error.get("last")
    chain = ([last] if isinstance(last, Mapping) else []) + [error]
    words = {str(each["vendor_code"]) for each in chain if each.get("vendor_code")}
    for meaning in _meanings(transport):
        if words & {meaning.code, *meaning.spellings}:
            return _of(transport, meaning)
    codes = [each.get("code") for each in chain]
    return next((found for code in codes for found in _ours() if found.code == code), None)


def _meanings(transport: str) -> tuple[CodeMeaning, ...]:
    try:
        return tuple(getattr(registry.load(transport), "meanings", ()))
    except ConfigurationError:  # it is not installed any more
        return ()


def _known() -> Iterator[Found]:
    told: set[int] = set()
    for name in registry.names():
        try:
            meanings = getattr(registry.load(name), "meanings", ())
        except Exception as error:
            screen.complain(f"the transport {name} does not load: {type(error).__name__}")
            continue
        for each in meanings:
            if id(each) not in told:  # two doors may lead to one destination
                told.add(id(each))
                yield _of(name, each)
    yield from _ours()


def _ours() -> Iterator[Found]:
    for kind, says, advice in _WORDS:
        recovery = getattr(kind, "default_recovery", Recovery.NONE)
        yield Found(
            code=kind.code,
            of=OURS,
            says=says,
            advice=advice,
            error=kind.__name__,
            recovery=recovery.value,
        )


def _of(name: str, meaning: CodeMeaning) -> Found:
    return Found(
        code=meaning.code,
        of=name,
        says=meaning.says,
        advice=meaning.advice,
        error=meaning.kind.__name__,
        recovery=meaning.recovery.value,
        remedy=str(meaning.remedy),
        where=meaning.where,
        statuses=meaning.statuses,
        spellings=meaning.spellings,
    )


def _page(found: Found) -> Iterator[str]:
    yield f"{' / '.join(found.names)} ({found.of})"
    yield " ".join(found.sentences)
    yield f"  becomes      {found.error}: {_BY_ITSELF[Recovery(found.recovery)]}"
    if found.remedy:
        yield f"  what helps   {found.remedy}"
    if found.statuses:
        yield f"  comes with   HTTP {', '.join(map(str, found.statuses))}"
    for place in found.where:
        yield f"  comes from   {place}"
    yield ""


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}."


def _unknown(code: str, wanted: str, known: list[Found]) -> ConfigurationError:
    names = sorted({name for each in known for name in each.names})
    similar = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    similar += [name for name in names if wanted and wanted in name and name not in similar][:3]
    error = ConfigurationError(f"nobody knows the code {code!r}")
    return error.hint(
        f"there is {', '.join(similar)}" if similar else "codes are such as access_token_invalid"
    )
