"""Running the command: in this process where that is enough, else as the installed script."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from transports.tiktok.sandbox import Sandbox
from uploader.cli import main
from uploader.cli.clip import CLIP

SCRIPT = Path(sys.executable).with_name("uploader")
VARIABLE = "TIKTOK_ACCESS_TOKEN"
PRIVATE = ("--privacy", "SELF_ONLY")
ACCOUNT = ("--account", "acme")
STARTED: list[subprocess.Popen[str]] = []


@dataclass(frozen=True)
class Ended:
    """How a run of the command ended."""

    code: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        """Return the error lines."""
        return [line for line in self.err.splitlines() if line.startswith("error: ")]


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> Ended:
    """Run the command in this process."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert isinstance(exit_.value.code, int)
    return Ended(exit_.value.code, out, err)


def environment(sandbox: Sandbox | None = None, **more: str) -> dict[str, str]:
    """Return this process's environment, with the sandbox's token and nothing that colours."""
    left = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", VARIABLE)}
    token = {VARIABLE: sandbox.access_token} if sandbox is not None else {}
    return {**left, **token, **more}


def start(
    *arguments: object, env: Mapping[str, str], stdout: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    """Start the installed script; what still runs when the test ends is killed."""
    process = subprocess.Popen(
        [SCRIPT, *map(str, arguments)],
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )
    STARTED.append(process)
    return process


def reap() -> None:
    """End the scripts that a test left running."""
    while STARTED:
        process = STARTED.pop()
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def finish(process: subprocess.Popen[str], timeout: float = 20) -> Ended:
    """Wait for the script to end."""
    out, err = process.communicate(timeout=timeout)
    return Ended(process.returncode, out, err)


def publishing(sandbox: Sandbox, *files: object) -> tuple[object, ...]:
    """Return the arguments that publish files to a sandbox."""
    return ("publish", *files, "--base-url", sandbox.base_url, *PRIVATE, *ACCOUNT)


def video(directory: Path, size: int | None = None, name: str = "clip.mp4") -> Path:
    """Make a small real video, or a sparse one of `size` bytes."""
    file = directory / name
    file.write_bytes(CLIP.read_bytes())
    if size is not None:
        os.truncate(file, size)
    return file
