"""Writes the README's table of destinations: `python -m uploader.cli.tables README.md`.

Rule: between two markers stands what the transports of this distribution say of themselves, and
nothing that a person wrote.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from uploader.cli.abilities import Ability, facts, found
from uploader.errors import ConfigurationError

BEGIN: Final = "<!-- destinations: written by `python -m uploader.cli.tables README.md` -->"
END: Final = "<!-- end of destinations -->"
OURS: Final = "mmap-uploader"


def table(abilities: list[Ability]) -> str:
    """Return the table as Markdown: a column for each destination, a row for each fact."""
    columns = {each.name: facts(each) for each in abilities}
    rows = [["", *columns]]
    rows += (
        [name, *(_cell(column[name]) for column in columns.values())]
        for name in next(iter(columns.values()), {})
    )
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---" * len(rows[0]) + "|")
    return "\n".join(lines)


def ours() -> list[Ability]:
    """Return this distribution's transports; those of others have pages of their own."""
    abilities, _ = found()
    return [each for each in abilities if each.offer and each.offer.distribution == OURS]


def renewed(text: str) -> str:
    """Return a document with the table as it is now; raise when the markers are missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigurationError("the document has no markers for the table of destinations").hint(
            f"write {BEGIN} and {END}, each on a line of its own"
        )
    return f"{before}{BEGIN}\n\n{table(ours())}\n\n{END}{after}"


def _cell(text: str) -> str:
    code = "://" in text or "[" in text
    return " ".join(f"`{word}`" for word in text.split()) if code else text


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(renewed(document.read_text(encoding="utf-8")), encoding="utf-8")
