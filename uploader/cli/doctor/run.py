"""The order of the checks, and how they are shown.

Rule: each finding is shown as soon as it is had. Exit code 1 says that something fails; a warning
alone does not.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import typer
from rich.text import Text

from uploader import registry
from uploader.api import Uploader
from uploader.cli import accounts, destinations, screen
from uploader.cli.credentials import access_token
from uploader.cli.doctor import machine, network
from uploader.cli.doctor.examining import Patient, of_clock
from uploader.cli.exits import Exit
from uploader.cli.journals import Place
from uploader.errors import ConfigurationError, UploaderError
from uploader.retry import RetryPolicy
from uploader.transport import Finding, Level, Probe, TransportFactory

MOST: Final = 20
"""Accounts that are looked at when none is named: each of them is asked about."""
PATIENCE: Final = 120.0
"""Seconds that a question waits for its turn under the destination's rates."""
NAME_IT: Final = "name it: --option NAME=VALUE; `uploader transports` has the names"
_COLOURS: Final = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}
_WIDTH: Final = 13


def doctor(
    to: str,
    *,
    named: Sequence[str],
    fields: Mapping[str, Any],
    token_file: Path | None,
    where: Place,
    probe: str | None,
    yes: bool,
    json: bool,
) -> int:
    """Examine and return the exit code."""
    factory = registry.load(to)
    uploader = Uploader(
        metrics=False, limit_wait=PATIENCE, retry=RetryPolicy(attempts=2, total=30.0)
    )
    told = _Told(json=json)
    try:
        if probe is not None:
            _probe(factory, uploader, probe, fields, token_file, told, yes=yes)
        else:
            for subject, finding in _examined(factory, uploader, named, fields, token_file, where):
                told.tell(subject, finding)
    finally:
        uploader.close()
    return told.end()


def _examined(
    factory: TransportFactory,
    uploader: Uploader,
    named: Sequence[str],
    fields: Mapping[str, Any],
    token_file: Path | None,
    where: Place,
) -> Iterator[tuple[str, Finding]]:
    for finding in machine.findings(where, [factory]):
        yield "", finding
    try:
        hosts = _hosts(factory, fields)
    except ConfigurationError as error:
        hosts = ()
        says = f"which host uploads go to is not known: {error.message}"
        yield "", Finding(check="name", level=Level.WARN, says=says, advice=NAME_IT)
    for origin, needed in hosts:
        for finding in network.findings(origin, needed=needed):
            yield "", finding
    checks = getattr(factory, "checks", None)
    if checks is None:
        says = f"{factory.name} offers no checks of accounts"
        yield "", Finding(check="account", level=Level.OK, says=says)
        return
    whose, none = _accounts(factory, named, token_file)
    if none is not None:
        yield "", none
    for account in whose:
        subject = account or ""
        try:
            patient = _patient(factory, uploader, account, fields, token_file)
            for finding in checks(patient):
                yield subject, finding
        except UploaderError as error:
            yield subject, _raised(error)
            continue
        if patient.skew is not None:
            yield subject, of_clock(patient.skew)


def _hosts(factory: TransportFactory, fields: Mapping[str, Any]) -> Sequence[tuple[str, bool]]:
    """Return the origins that uploads go to; by itself a destination knows one."""
    make: Callable[[Mapping[str, Any]], Sequence[tuple[str, bool]]] | None
    make = getattr(factory, "hosts", None)
    if make is not None:
        found: Sequence[tuple[str, bool]] = make(fields)
        return found
    wanted = {option.name: "doctor" for option in factory.options if option.required}
    stand_ins = destinations.stand_ins(factory)
    return ((factory.destination(None, {**wanted, **stand_ins, **fields}).origin, True),)


def _accounts(
    factory: TransportFactory, named: Sequence[str], token_file: Path | None
) -> tuple[Sequence[str | None], Finding | None]:
    """Return whom to look at, and what to say when that is nobody, or not everybody."""
    if named:
        return list(named), None
    variable = factory.token_variable
    if token_file is not None or (variable and os.environ.get(variable, "").strip()):
        return [None], None
    store = accounts.found()
    kept = [each.account for each in store.list(accounts.kept_as(factory.name))] if store else []
    if len(kept) > MOST:
        return kept[:MOST], Finding(
            check="account",
            level=Level.WARN,
            says=f"{len(kept):,} accounts have logged in here, the first {MOST} are looked at",
            advice="name others: --account NAME",
        )
    if kept or not variable:
        return kept or [None], None
    return [], Finding(
        check="account",
        level=Level.WARN,
        says=f"no account has logged in here, and {variable} is not set",
        advice=f"uploader account login NAME, or export {variable}=...",
    )


def _patient(
    factory: TransportFactory,
    uploader: Uploader,
    account: str | None,
    fields: Mapping[str, Any],
    token_file: Path | None,
) -> Patient:
    tokens = credentials = token = None
    if token_file is None:
        tokens = accounts.known(factory.name, account)
        if tokens is not None or account is not None:
            credentials = accounts.source_for(factory.name, account)
    if credentials is None and (factory.token_variable or token_file is not None):
        token = access_token(factory.token_variable, token_file)
    own = {} if tokens is None else {name: tokens.fields.get(name) for name in ("base_url",)}
    given = {name: value for name, value in {**own, **fields}.items() if value is not None}
    return Patient(
        uploader=uploader,
        account=account,
        fields=given,
        access_token=token,
        credentials=credentials,
        tokens=tokens,
    )


def _probe(
    factory: TransportFactory,
    uploader: Uploader,
    account: str,
    fields: Mapping[str, Any],
    token_file: Path | None,
    told: _Told,
    *,
    yes: bool,
) -> None:
    """Open what has to be opened, after it was said how much that is."""
    make: Callable[[Patient], Probe] | None = getattr(factory, "probe", None)
    if make is None:
        raise ConfigurationError(f"{factory.name} offers no probe").hint("leave --probe out")
    patient = _patient(factory, uploader, account, fields, token_file)
    probe = make(patient)
    screen.remark(f"{account}: {probe.says}")
    if not yes and not _agreed(f"Send at most {probe.inits} inits as {account}?"):
        raise ConfigurationError("nothing was probed").hint("give --yes when you want that")
    for finding in probe.run():
        told.tell(account, finding)
    if patient.skew is not None:
        told.tell(account, of_clock(patient.skew))


def _agreed(question: str) -> bool:
    try:
        return os.isatty(0) and typer.confirm(question, err=True)
    except (OSError, typer.Abort):
        return False


def _raised(error: UploaderError) -> Finding:
    return Finding(
        check="account",
        level=Level.FAIL,
        says=error.message,
        advice=" ".join(error.hints),
        facts={"code": error.code},
    )


class _Told:
    """Shows findings, and remembers the worst of them."""

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._found: list[dict[str, Any]] = []
        self._counts = dict.fromkeys(Level, 0)

    def tell(self, subject: str, finding: Finding) -> None:
        self._counts[finding.level] += 1
        self._found.append({"account": subject or None, **dataclasses.asdict(finding)})
        if self._json:
            return
        console = screen.stdout()
        whose = f"{subject}: " if subject else ""
        line = Text(f"{finding.level.upper():<4} ", _COLOURS[finding.level])
        line.append(screen.plain(f"{finding.check:<{_WIDTH}} {whose}{finding.says}"), "default")
        console.print(line, soft_wrap=True)
        if finding.advice:
            console.print(f"{'':<{_WIDTH + 5}} {screen.plain(finding.advice)}", soft_wrap=True)

    def end(self) -> int:
        """Say how many there were of each kind, and return the exit code."""
        code = Exit.FAILED if self._counts[Level.FAIL] else Exit.DONE
        if self._json:
            screen.document({"exit_code": int(code), "findings": self._found})
        else:
            counts = self._counts
            screen.say(
                f"\n{counts[Level.OK]} good, {counts[Level.WARN]} to know of,"
                f" {counts[Level.FAIL]} to mend"
            )
        return code
