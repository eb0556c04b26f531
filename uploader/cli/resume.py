"""`uploader resume` and `uploader resolve`: uploads that the journal knows.

Rule: a token serves the uploads of one account; never one account's video with another's token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from uploader import registry
from uploader.api import Uploader, UploadHandle
from uploader.cli import accounts, journals, logs, screen
from uploader.cli.credentials import access_token
from uploader.cli.drive import Job
from uploader.cli.exits import Exit
from uploader.cli.journals import Place
from uploader.cli.running import Manner, run
from uploader.errors import ConfigurationError
from uploader.journal import ENDED, Entry, Journal, State
from uploader.pacing import PollPolicy
from uploader.secret import Secret
from uploader.transport import Credential, CredentialSource


def resume(
    ids: Sequence[str],
    *,
    everything: bool,
    processing: bool,
    account: str | None,
    file: Path | None,
    token_file: Path | None,
    manner: Manner,
    where: Place,
) -> int:
    """Go on with recorded uploads and return the exit code."""
    logs.configure(manner.log_format, manner.log_level)
    _refuse_words(ids, everything=everything, file=file)
    with journals.opened(where) as book:
        entries = _due(book, account) if everything else _named(book, ids)
    if processing:
        entries = [entry for entry in entries if entry.state is State.PROCESSING]
    if not entries:
        screen.remark("nothing waits to be resumed")
        if manner.json:
            screen.document({"exit_code": 0, "results": [], "errors": []})
        return Exit.DONE
    credentials = _credentials(entries, token_file)

    def begin(uploader: Uploader, entry: Entry) -> Job:
        return _job(
            entry,
            lambda: uploader.take_up(
                entry.upload_id, file, wait=manner.wait, time_limit=manner.time_limit
            ),
        )

    return run(
        lambda uploader: [begin(uploader, entry) for entry in entries],
        manner=manner,
        where=where,
        credentials=credentials,
        variable=registry.load(entries[0].transport).token_variable,
    )


def resolve(upload_id: str, *, token_file: Path | None, manner: Manner, where: Place) -> int:
    """Ask the destination how an upload stands; send no byte of it."""
    logs.configure(manner.log_format, manner.log_level)
    with journals.opened(where) as book:
        entry = journals.find(book, upload_id)
    credentials = _credentials([entry], token_file)
    once = PollPolicy(attempts=1)
    return run(
        lambda uploader: [
            _job(entry, lambda: uploader.take_up(entry.upload_id, poll=once, look_only=True))
        ],
        manner=manner,
        where=where,
        credentials=credentials,
        variable=registry.load(entry.transport).token_variable,
    )


def _refuse_words(ids: Sequence[str], *, everything: bool, file: Path | None) -> None:
    if everything == bool(ids):
        what = "ids and --all contradict each other" if ids else "no upload is named"
        raise ConfigurationError(what).hint("give ids, or --all for whatever waits to be resumed")
    if file is not None and len(ids) != 1:
        raise ConfigurationError("--file is the file of one upload").hint("give one id with it")


def _named(book: Journal, ids: Sequence[str]) -> list[Entry]:
    found = {entry.upload_id: entry for entry in (journals.find(book, each) for each in ids)}
    return list(found.values())


def _due(book: Journal, account: str | None) -> list[Entry]:
    entries = [entry for entry in map(book.get, book.due()) if entry is not None]
    if account is None:
        return entries
    return [entry for entry in entries if (entry.account or "") == account]


def _credentials(entries: Sequence[Entry], token_file: Path | None) -> CredentialSource:
    """Return what gives the token of the one account that the uploads are of, read each time."""
    own: dict[tuple[str, str | None], CredentialSource] = {}
    if token_file is None:
        for place in {(entry.transport, entry.account) for entry in entries}:
            found = accounts.source_for(*place)
            if found is not None:
                own[place] = found
    open_ = [
        entry
        for entry in entries
        if entry.state not in ENDED and (entry.transport, entry.account) not in own
    ]
    served = _served({entry.transport for entry in open_}, token_file)
    for transport in served:
        several = {entry.account for entry in open_ if entry.transport == transport}
        if len(several) > 1:
            names = ", ".join(sorted(account or "(unnamed)" for account in several))
            raise ConfigurationError(
                f"these uploads are of {len(several)} accounts, and a token is one's: {names}"
            ).hint("resume --all --account NAME, with the token of that account")
        access_token(registry.load(transport).token_variable, token_file)

    def source(transport: str, account: str | None) -> Credential | Secret | str:
        if (transport, account) in own:
            return own[transport, account](transport, account)
        if transport not in served:
            raise ConfigurationError(f"there is no access token for {transport}").hint(
                "give --token-file PATH"
            )
        return access_token(registry.load(transport).token_variable, token_file, warn=False)

    return source


def _served(transports: set[str], token_file: Path | None) -> set[str]:
    """Return the transports that the command has a token for: a file holds that of one."""
    needy = {each for each in transports if registry.load(each).token_variable}
    if token_file is None:
        return needy
    served = needy or transports
    if len(served) > 1:
        names = ", ".join(sorted(served))
        raise ConfigurationError(
            f"a token file is one destination's, and these uploads go to {names}"
        ).hint("resume them by their ids, those of one destination at a time")
    return served


def _job(entry: Entry, begin: Callable[[], UploadHandle]) -> Job:
    return Job(
        file=entry.source or entry.name or entry.upload_id,
        transport=entry.transport,
        account=entry.account,
        plan=entry.plan,
        begin=begin,
    )
