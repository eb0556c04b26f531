"""What the installed transports can do, as facts for tables and for machines.

Rule: everything is read from `Capabilities` and the factory; the words for it are written once,
here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from uploader import registry
from uploader.cli.extras import Offer, offers
from uploader.cli.times import show_span
from uploader.model import KIB
from uploader.transport import Capabilities, Moment, Order, TransportFactory

ENDLESS: Final = 2**62
"""A limit of this many bytes or parts is none."""

MOST: Final = 10_000
"""A number of a unit that is not below this is told in a larger one, roughly."""
_UNITS: Final = {
    KIB: ("bytes", "KiB", "MiB", "GiB", "TiB"),
    1000: ("bytes", "kB", "MB", "GB", "TB"),
}
_MOMENTS: Final = {
    Moment.CREATE: "its opening",
    Moment.LAST_PART: "the last part",
    Moment.COMPLETE: "its completion",
}


@dataclass(frozen=True, slots=True)
class Ability:
    """One transport that loads. `offer` is `None` for one that no distribution names."""

    factory: TransportFactory
    offer: Offer | None

    @property
    def name(self) -> str:
        return self.factory.name

    @property
    def limits(self) -> Capabilities:
        return self.factory.capabilities

    @property
    def schemes(self) -> tuple[str, ...]:
        return tuple(getattr(self.factory, "schemes", ()))

    @property
    def told_by_url(self) -> frozenset[str]:
        """The options that a URL stands for."""
        locate = getattr(self.factory, "locate", None)
        if locate is None or not self.schemes:
            return frozenset()
        return frozenset(locate(f"{self.schemes[0]}://place.example/name"))


def found() -> tuple[list[Ability], list[str]]:
    """Return the installed transports, and a line for each that does not load."""
    abilities: list[Ability] = []
    broken: list[str] = []
    known = offers()
    for name in registry.names():
        try:
            abilities.append(Ability(registry.load(name), known.get(name)))
        except Exception as error:
            broken.append(f"the transport {name} does not load: {type(error).__name__}: {error}")
    return abilities, broken


def facts(ability: Ability) -> dict[str, str]:
    """Return what a transport can do, in words; the same names for each."""
    limits = ability.limits
    return {
        "URLs": " ".join(f"{scheme}://" for scheme in ability.schemes) or "none",
        "parts go": _order(limits),
        "part size": size(limits.part_size),
        "parts of": f"{size(limits.min_part)} to {size(limits.max_part)}",
        "parts at most": _count(limits.max_parts),
        "multiples of": size(limits.alignment),
        "largest file": size(limits.max_size),
        "size unknown before": "yes" if limits.unknown_size else "no",
        "resumes at": "any byte" if limits.accepts_partial else "a part",
        "no way back after": _MOMENTS[limits.irreversible],
        "must end within": _lifetime(limits.session_lifetime),
        "an account's limits": ", ".join(rate.words for rate in limits.rates) or "no limit",
        "needs": ability.offer.requirement if ability.offer and ability.offer.extra else "nothing",
    }


def as_document(ability: Ability) -> dict[str, Any]:
    """Return the same as JSON-able facts, sizes in bytes and times in seconds."""
    factory, limits, offer = ability.factory, ability.limits, ability.offer
    return {
        "name": factory.name,
        "summary": factory.summary,
        "token_variable": factory.token_variable,
        "schemes": list(ability.schemes),
        "distribution": offer.distribution if offer is not None else None,
        "extra": offer.extra or None if offer is not None else None,
        "installed": offer.installed if offer is not None else None,
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
            "alignment": limits.alignment,
            "max_lanes": limits.max_lanes,
            "resumes_at": "byte" if limits.accepts_partial else "part",
            "digests": sorted(limits.digests),
            "unknown_size": limits.unknown_size,
            "reopens": limits.reopens,
            "rates": [asdict(rate) for rate in limits.rates],
        },
    }


def size(count: int) -> str:
    """Return `16 MiB`, `64 MB`, `5 TiB`, `48.8 TiB`: exact where a unit divides it, or about."""
    if count >= ENDLESS:
        return "no limit"
    exact = [
        (count // base**power, unit)
        for base, units in _UNITS.items()
        for power, unit in enumerate(units)
        if count >= base**power and not count % base**power
    ]
    number, unit = min(exact, key=lambda each: each[0])
    if number < MOST:
        return f"{number:,} {unit}" if (number, unit) != (1, "bytes") else "1 byte"
    power = next(power for power in (4, 3, 2, 1, 0) if count >= KIB**power)
    return f"{count / KIB**power:.1f} {_UNITS[KIB][power]}"


def _order(limits: Capabilities) -> str:
    if limits.order is Order.SEQUENTIAL:
        return "in order"
    return f"in any order, {limits.max_lanes} at once"


def _count(number: int) -> str:
    return "no limit" if number >= ENDLESS else f"{number:,}"


def _lifetime(seconds: float | None) -> str:
    return "not told" if seconds is None else show_span(seconds)
