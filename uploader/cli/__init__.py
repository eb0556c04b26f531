"""The command `uploader`: what a person at a terminal, or a script, makes of the faces.

Rule: an edge. It alone prints, installs signal handlers and ends the process; typer and rich are
imported nowhere else. What it says never holds a secret, and an expected error is one line.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command with `arguments`, by default the process's own, and exit.

    Exit codes: 0 done, 1 failed, 2 bad input (nothing was sent), 3 outcome unknown, 4 not finished,
    130 interrupted. With several files the most serious counts: 130, 3, 1, 4, then 0.
    """
    try:
        from uploader.cli.app import run

        code = run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
