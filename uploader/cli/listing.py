"""`uploader transports`: what is installed, what it can do, and its options.

Rule: one broken plug-in does not hide the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from uploader.cli import destinations, screen
from uploader.cli.abilities import Ability, as_document, facts, found
from uploader.cli.exits import Exit


def listing(*, json: bool) -> int:
    """Show every installed transport and return the exit code: 1 when one does not load."""
    abilities, broken = found()
    if json:
        screen.document({"transports": [as_document(each) for each in abilities]})
    elif abilities:
        console = screen.stdout()
        console.print(_table(abilities))
        for each in abilities:
            console.print(_page(each))
    for text in broken:
        screen.complain(text)
    return Exit.FAILED if broken else Exit.DONE


def _table(abilities: Sequence[Ability]) -> Table:
    """Return a column for each transport, a row for each fact."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column("", style="dim", overflow="fold")
    columns = [{**facts(each), "": _installed(each)} for each in abilities]
    for each in abilities:
        made.add_column(screen.plain(each.name), overflow="fold")
    for name in columns[0] if columns else ():
        made.add_row(name, *(Text(screen.plain(column[name])) for column in columns))
    return made


def _installed(ability: Ability) -> str:
    if ability.offer is None or not ability.offer.extra:
        return ""
    return "which is installed" if ability.offer.installed else "NOT INSTALLED"


def _page(ability: Ability) -> RenderableType:
    factory, told = ability.factory, ability.told_by_url
    options = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    options.add_column("option", no_wrap=True)
    options.add_column("meaning")
    for option in factory.options:
        flag = f"--set {option.name}=..." if told else destinations.flag(option.name)
        text = f"{option.help} (required)" if option.required else option.help
        options.add_row(Text("the URL" if option.name in told else flag), Text(text))
    token = factory.token_variable or "none is needed, or that of --token-file"
    head = Text(f"{factory.name}: {factory.summary}", "bold")
    return Group("", head, "", Text(f"access token from: {token}"), options)
