"""Files are checked before anything is sent.

Rule: what is wrong with any of them is said of all of them, and then none is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uploader.api import Uploader
from uploader.cli.drive import Job
from uploader.cli.exits import BadInput
from uploader.errors import ConfigurationError, UploaderError
from uploader.model import Plan, UploadSpec
from uploader.transport import Destination


@dataclass(frozen=True, slots=True)
class Checked:
    """One file that may go to one destination."""

    file: Path
    destination: Destination
    spec: UploadSpec

    @property
    def plan(self) -> Plan:
        return self.spec.plan

    def job(self, uploader: Uploader, **wishes: Any) -> Job:
        """Return the job that submits it; `wishes` are those of `Uploader.submit`."""
        return Job(
            file=str(self.file),
            transport=self.destination.transport().name,
            account=self.destination.account,
            plan=self.plan,
            begin=lambda: uploader.submit(self.file, self.destination, **wishes),
        )


def checked(uploader: Uploader, pairs: Sequence[tuple[Path, Destination]]) -> list[Checked]:
    """Return the files as they would be sent, or raise `BadInput` with everything that is wrong."""
    good: list[Checked] = []
    refused: list[tuple[str | None, UploaderError]] = []
    seen: set[Path] = set()
    for file, destination in pairs:
        try:
            spec = uploader.check(file, destination)
            _refuse_twice(file, seen)
        except UploaderError as error:
            refused.append((str(file), error))
        else:
            good.append(Checked(file, destination, spec))
    if refused:
        raise BadInput(refused)
    return good


def one_key(files: Sequence[Path], key: str | None) -> None:
    """Refuse one key for several files: it names one upload."""
    if key is not None and len(files) > 1:
        raise ConfigurationError(f"one key cannot name {len(files)} uploads").hint(
            "publish each file with a --key of its own"
        )


def _refuse_twice(file: Path, seen: set[Path]) -> None:
    real = file.resolve()
    if real in seen:
        raise ConfigurationError(f"{file} is given twice").hint("leave one out: it is one upload")
    seen.add(real)
