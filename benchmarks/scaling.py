"""How many machines so many uploads a day need, and what gives way first.

Rule: pure arithmetic on measured costs. Nothing is measured here: `COSTS` names where each figure
comes from, and who measures other ones on machines of his own puts those in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What was measured: processor seconds, seconds and bytes a second."""

    cpu_per_gb: float = 0.95
    """TLS, one core, digests and journal on: the suite `throughput`."""
    cpu_per_file: float = 0.007
    """The engine's own, beyond the bytes: the suite `scale`."""
    cpu_per_request: float = 0.0012
    """A signed request on a warm connection, status calls above all: the suite `scale`."""
    sqlite_writes: float = 10_000.0
    """Transactions a second that one file takes, synced ones among them: the suite `fleet`."""
    database_writes: float = 560.0
    """Transactions a second of `DjangoJournal` on PostgreSQL, synced, four processes and the server
    on the same two cores: 350 by one process. A server of its own takes more."""
    broker_messages: float = 2_000.0
    """Messages a second of one broker on one core, Celery's own acknowledgements included."""
    redis_counts: float = 20_000.0
    """Counted requests a second of one Redis: each is one script of a few microseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is asked of the fleet in a day.

    `peak` is the busiest hour's share of uploads over the mean hour's; `utilised` how full a
    machine may be then.
    """

    uploads: int
    size: int = 80_000_000
    part_size: int = 64_000_000
    status_calls: float = 4.0
    peak: float = 3.0
    utilised: float = 0.6
    posts_a_day: int = 15
    cores: int = 2
    line: float = 125_000_000.0
    """Bytes a second of one machine's line: 1 Gbit/s."""

    @property
    def a_second(self) -> float:
        """Uploads a second in the busiest hour."""
        return self.uploads / DAY * self.peak

    @property
    def parts(self) -> int:
        return max(1, -(-self.size // self.part_size))


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What it takes in the busiest hour."""

    accounts: int
    line_gbits: float
    machines_by_line: int
    machines_by_cpu: int
    journal_writes: float
    counted_requests: float
    messages: float
    journal_gb_a_day: float

    @property
    def machines(self) -> int:
        return max(self.machines_by_line, self.machines_by_cpu)


WRITES_PER_UPLOAD: Final = 10.0
"""Transactions of one upload beside its parts: enqueue, lease, opening, session, committing,
processing, outcome, release, and two renewals. The suite `fleet` counts 11.4 with the parts."""
REQUESTS_PER_UPLOAD: Final = 2.0
"""Creator info and init, beside parts and status calls."""
MESSAGES_PER_UPLOAD: Final = 2.0
"""One to publish and one to watch; longer uploads take one more for each shift."""
JOURNAL_BYTES: Final = 1_100.0
"""Bytes of an entry with its parts in SQLite; the suite `fleet` measures them."""


def needs(load: Load, costs: Costs | None = None) -> Needs:
    """Return what the load takes at its busiest."""
    costs = costs or Costs()
    rate = load.a_second
    requests = REQUESTS_PER_UPLOAD + load.parts + load.status_calls
    cpu = rate * (
        load.size / 1e9 * costs.cpu_per_gb + costs.cpu_per_file + requests * costs.cpu_per_request
    )
    line = rate * load.size
    return Needs(
        accounts=math.ceil(load.uploads / load.posts_a_day),
        line_gbits=line * 8 / 1e9,
        machines_by_line=math.ceil(line / (load.line * load.utilised)),
        machines_by_cpu=math.ceil(cpu / (load.cores * load.utilised)),
        journal_writes=rate * (WRITES_PER_UPLOAD + load.parts),
        counted_requests=rate * (REQUESTS_PER_UPLOAD + load.status_calls),
        messages=rate * MESSAGES_PER_UPLOAD,
        journal_gb_a_day=load.uploads * JOURNAL_BYTES / 1e9,
    )


def breaks_first(load: Load, costs: Costs | None = None) -> list[tuple[str, float]]:
    """Return how full each single thing would be, the fullest first; above 1.0 it gives way."""
    costs = costs or Costs()
    wanted = needs(load, costs)
    fullness = {
        "one sending machine": wanted.line_gbits * 1e9 / 8 / (load.line * load.utilised),
        "one PostgreSQL journal": wanted.journal_writes / costs.database_writes,
        "one SQLite journal (one machine)": wanted.journal_writes / costs.sqlite_writes,
        "one broker": wanted.messages / costs.broker_messages,
        "one Redis for limits": wanted.counted_requests / costs.redis_counts,
    }
    return sorted(fullness.items(), key=lambda item: -item[1])


LOADS: Final = (10_000, 1_000_000, 100_000_000)


def table(costs: Costs | None = None) -> str:
    """Return the page's table: what so many uploads a day take in their busiest hour."""
    columns = [Load(uploads=uploads) for uploads in LOADS]
    wanted = [needs(load, costs) for load in columns]
    rows: list[tuple[str, list[str]]] = [
        ("Uploads a second", [f"{load.a_second:,.2f}" for load in columns]),
        ("Accounts, at 15 posts a day", [f"{each.accounts:,}" for each in wanted]),
        ("Line, Gbit/s", [f"{each.line_gbits:,.2f}" for each in wanted]),
        ("Machines by their line (1 Gbit/s)", [f"{each.machines_by_line:,}" for each in wanted]),
        ("Machines by their processors (2)", [f"{each.machines_by_cpu:,}" for each in wanted]),
        ("Journal, transactions/s", [f"{each.journal_writes:,.1f}" for each in wanted]),
        ("Counted requests/s (Redis)", [f"{each.counted_requests:,.1f}" for each in wanted]),
        ("Messages/s (broker)", [f"{each.messages:,.2f}" for each in wanted]),
        ("Journal's growth, GB a day", [f"{each.journal_gb_a_day:,.2f}" for each in wanted]),
    ]
    fullness = [dict(breaks_first(load, costs)) for load in columns]
    rows += [
        (f"How full: {name}", [f"{100 * each[name]:,.1f} %" for each in fullness])
        for name in fullness[0]
    ]
    head = "| In the busiest hour | " + " | ".join(f"{uploads:,} a day" for uploads in LOADS) + " |"
    rule = "|---|" + "---:|" * len(LOADS)
    body = [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows]
    return "\n".join([head, rule, *body])
