"""How a command ends: with an exit code, and for every error that is expected one line.

Rule: nothing that is raised reaches the interpreter's own traceback, which `--debug` alone shows.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable

import typer

from uploader.cli.exits import BadInput, Exit, exit_of_error
from uploader.errors import UploaderError


def ended(command: Callable[[], int], *, json: bool = False) -> None:
    """Run a command and exit with its code; errors that are expected are one line each."""
    from uploader.cli import complaints, screen

    refused: list[tuple[str | None, UploaderError]] = []
    try:
        code = command()
    except BadInput as bad:
        refused, code = bad.errors, int(Exit.BAD_INPUT)
    except UploaderError as error:
        refused, code = [(None, error)], int(exit_of_error(error))
    for file, why in refused:
        screen.complain(complaints.line(why, file=file))
    if refused and json:
        facts = [complaints.as_dict(why, file) for file, why in refused]
        screen.document({"exit_code": code, "results": [], "errors": facts})
    raise typer.Exit(code)


def told(error: Exception, *, debug: bool) -> int:
    """Say in a line what a command did not expect, and return the exit code."""
    from uploader.cli import screen

    usage = getattr(error, "format_message", None)
    if usage is not None:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "uploader"
        if type(error).__name__ != "NoArgsIsHelpError":  # the help has been shown instead
            screen.complain(f"{_flat(usage())} (try: {path} --help)")
        return int(getattr(error, "exit_code", Exit.BAD_INPUT))
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    # Only the type: the text of an error that nobody expected may hold anything.
    screen.complain(
        f"the uploader itself failed: {type(error).__name__}"
        " (run `uploader --debug ...` for the traceback, and please report it)"
    )
    return Exit.FAILED


def _flat(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
