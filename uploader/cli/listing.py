"""`uploader transports`: what is installed, and its limits.

Rule: one broken plug-in does not hide the others.
"""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from uploader import registry
from uploader.cli import destinations, screen
from uploader.cli.exits import Exit
from uploader.cli.sizes import show_size
from uploader.transport import Capabilities, TransportFactory


def listing(*, json: bool) -> int:
    """Show every installed transport and return the exit code: 1 when one does not load."""
    found: list[TransportFactory] = []
    broken: list[str] = []
    for name in registry.names():
        try:
            found.append(registry.load(name))
        except Exception as error:
            broken.append(f"the transport {name} does not load: {type(error).__name__}: {error}")
    if json:
        screen.document({"transports": [_document(factory) for factory in found]})
    else:
        for factory in found:
            screen.stdout().print(_page(factory))
    for text in broken:
        screen.complain(text)
    return Exit.FAILED if broken else Exit.DONE


def _page(factory: TransportFactory) -> RenderableType:
    limits = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    limits.add_column(style="dim", no_wrap=True)
    limits.add_column()
    for name, value in _facts(factory.capabilities).items():
        limits.add_row(name, value)
    limits.add_row("access token from", factory.token_variable)
    options = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    options.add_column("option", no_wrap=True)
    options.add_column("meaning")
    for option in factory.options:
        flag = destinations.flag(option.name)
        text = f"{option.help} (required)" if option.required else option.help
        options.add_row(Text(flag), Text(text))
    return Group("", Text(f"{factory.name}: {factory.summary}", "bold"), "", limits, options)


def _facts(limits: Capabilities) -> dict[str, str]:
    facts = {
        "largest file": f"{show_size(limits.max_size)} ({limits.max_size:,} bytes)",
        "parts": f"{limits.min_part:,} to {limits.max_part:,} bytes, {limits.max_parts:,} of them",
        "last part": f"up to {limits.max_last_part:,} bytes",
        "in one part": f"up to {limits.max_single:,} bytes",
        "order": str(limits.order.value),
        "no way back after": limits.irreversible.value.replace("_", " "),
    }
    if limits.session_lifetime:
        facts["an upload must end within"] = f"{limits.session_lifetime / 60:.0f} minutes"
    return facts


def _document(factory: TransportFactory) -> dict[str, Any]:
    limits = factory.capabilities
    return {
        "name": factory.name,
        "summary": factory.summary,
        "token_variable": factory.token_variable,
        "options": [
            {"name": option.name, "help": option.help, "required": option.required}
            for option in factory.options
        ],
        "capabilities": {
            "order": limits.order.value,
            "tail": limits.tail.value,
            "irreversible": limits.irreversible.value,
            "part_size": limits.part_size,
            "min_part": limits.min_part,
            "max_part": limits.max_part,
            "max_parts": limits.max_parts,
            "max_size": limits.max_size,
            "max_single": limits.max_single,
            "max_last_part": limits.max_last_part,
            "session_lifetime": limits.session_lifetime,
        },
    }
