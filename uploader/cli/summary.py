"""What the demonstration has shown, for people and for machines.

Rule: pure presentation of a `Proof`; equality is decided here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from uploader.cli.checking import Checked
from uploader.cli.complaints import reference
from uploader.cli.exits import Exit
from uploader.cli.results import rate
from uploader.cli.screen import command, plain
from uploader.cli.sizes import show_seconds, show_size
from uploader.model import MIB, UploadResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was measured, and what the other side says that it received.

    `memory` is in bytes over the idle process, the sandbox in it included; `None` when the system
    does not tell.
    """

    job: Checked
    result: UploadResult
    memory: int | None
    sent_sha256: str
    received_sha256: str
    posts: int
    violations: tuple[str, ...]

    def faults(self) -> list[str]:
        """Return every claim that does not hold."""
        found = [f"the sandbox saw a broken rule: {text}" for text in self.violations]
        if self.sent_sha256 != self.received_sha256:
            found.append("the sandbox received other bytes than the file holds")
        if self.posts != 1:
            found.append(f"the video was posted {self.posts} times")
        return found


def summary(proof: Proof) -> RenderableType:
    """Return the summary as a screen of text."""
    plan, result = proof.job.plan, proof.result
    facts = Table.grid(padding=(0, 3))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("parts", _cut(proof))
    facts.add_row("time", show_seconds(result.duration))
    facts.add_row("rate", Text(rate(result), style="bold"))
    facts.add_row("peak memory", _memory(proof))
    facts.add_row("retries", str(result.retries))
    facts.add_row("SHA-256 sent", proof.sent_sha256)
    same = proof.sent_sha256 == proof.received_sha256
    received = Text(proof.received_sha256)
    facts.add_row("SHA-256 received", received)
    facts.add_row("", Text("equal", "bold green") if same else Text("DIFFERENT", "bold red"))
    facts.add_row("posted", "once" if proof.posts == 1 else f"{proof.posts} times")
    facts.add_row("id", plain(reference(result)))
    head = Text(f"Published {plain(proof.job.file.name)}: {show_size(plan.size)} to a sandbox")
    head.append(" on this machine, nothing left it")
    head.stylize("bold", 0, head.plain.index(" on this"))
    return Group("", head, "", Padding(facts, (0, 0, 0, 2), expand=False), "", _next())


def _cut(proof: Proof) -> str:
    plan = proof.job.plan
    if plan.count == 1:
        return "1, the whole file"
    each = f"{plan.count} of {plan.part_size:,} bytes, in order"
    if plan.last_length == plan.part_size:
        return each
    return f"{each}; the last takes the rest, {plan.last_length:,}"


def _memory(proof: Proof) -> Text:
    if proof.memory is None:
        return Text("not known on this system")
    text = Text(f"{proof.memory / MIB:.1f} MiB", style="bold")
    text.append(" over the idle process, the sandbox's own included", style="default not bold")
    return text


def _next() -> RenderableType:
    name = command()
    steps = Table.grid(padding=(0, 3))
    steps.add_column(style="cyan", overflow="fold")
    steps.add_column(style="dim")
    steps.add_row(f"  {name} plan clip.mp4", "how a video of yours would be cut, and why")
    steps.add_row(f"  {name} demo clip.mp4", "this, with a video of yours")
    steps.add_row(f"  {name} sandbox", "a stand-in to publish to, from your own code too")
    steps.add_row(f"  {name} publish --help", "the real thing")
    return Group("Next:", steps)


def as_document(proof: Proof, code: Exit) -> dict[str, Any]:
    """Return what `--json` prints."""
    result = proof.result
    return {
        "exit_code": int(code),
        "file": proof.job.file.name,
        "size": proof.job.plan.size,
        "parts": proof.job.plan.count,
        "part_size": proof.job.plan.part_size,
        "last_part_size": proof.job.plan.last_length,
        "seconds": round(result.duration, 6),
        "bytes_per_second": round(result.bytes_sent / result.duration) if result.duration else None,
        "peak_memory_over_idle": proof.memory,
        "sha256_sent": proof.sent_sha256,
        "sha256_received": proof.received_sha256,
        "equal": proof.sent_sha256 == proof.received_sha256,
        "posts": proof.posts,
        "violations": list(proof.violations),
        "result": result.to_dict(),
    }
