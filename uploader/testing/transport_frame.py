"""What the suites for transports share: a peer behind a proxy, films, and uploaders that end.

Rule: only public words are used; no test waits for time to pass.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import pytest

from uploader import Outcome, Timeouts, Uploader, UploadResult, registry
from uploader.errors import PlanError
from uploader.model import MIB, Plan
from uploader.planner import plan
from uploader.secret import Secret
from uploader.testing.clock import StillClock
from uploader.testing.faulty_proxy import Answer, FaultyProxy
from uploader.testing.transport_tape import Tape, taped
from uploader.transport import Capabilities, Destination, TransportFactory

PATIENT = Timeouts(connect=20.0, stall=20.0, response=20.0)
HASTY = Timeouts(connect=20.0, stall=0.3, response=0.5)
"""For peers that stall: as short as a busy machine lets an honest answer pass."""
BLOCK = 4 * MIB


@dataclass(frozen=True, slots=True)
class Held:
    """One finished object as the peer holds it: its name or id, size, and SHA-256 in hex."""

    name: str
    size: int
    sha256: str


class Peer:
    """What the suite has to know of the peer; its author says it.

    `url` is the origin that the proxy forwards to. `token` is what the factory takes as access
    token (what its `token_variable` would hold), `wrong_token` one that the peer refuses; `None`
    where there is none. `expired` is how the peer answers a part whose session is gone; `None`
    where sessions do not expire. `film` names the files that are uploaded. `secrets` are texts that
    must never be seen, beside the token and those of sessions. `environment` is what a process
    needs to find credentials that are no token.
    """

    url: str = ""
    token: str | None = None
    wrong_token: str | None = None
    expired: Answer | None = None
    film: str = "film.mp4"
    secrets: tuple[str, ...] = ()
    environment: Mapping[str, str] = MappingProxyType({})

    def destination(self, base_url: str, name: str) -> Destination:
        """Return where an upload of that name goes, by `base_url`, with the smallest parts."""
        raise NotImplementedError

    def held(self, name: str) -> list[Held]:
        """Return every finished object that an upload of that name made, without the proxy."""
        raise NotImplementedError

    def unfinished(self, name: str) -> int | None:
        """Return how many uploads of that name are open; `None` where the peer cannot tell."""
        return None


@dataclass
class Stage:
    """One test's peer behind its proxy, and the uploaders that are to be closed."""

    factory: TransportFactory
    peer: Peer
    proxy: FaultyProxy
    folder: Path
    clock: StillClock = field(default_factory=StillClock)
    name: str = "contract"
    _open: list[Uploader] = field(default_factory=list)

    @property
    def journal(self) -> Path:
        return self.folder / "journal.db"

    def destination(self) -> Destination:
        return self.peer.destination(self.proxy.base_url, self.name)

    @property
    def limits(self) -> Capabilities:
        return self.destination().transport().capabilities

    def plan(self, size: int) -> Plan:
        return plan(size, self.limits)

    @property
    def long(self) -> int:
        """The least size found that makes three parts, else two, else one."""
        part, step = self.limits.part_size, self.limits.alignment
        candidates = [1 + count * part // 2 + step * count for count in range(1, 9)]
        plans = [each for size in candidates if (each := cut(size, self.limits))]
        return next(
            each.size for count in (3, 2, 1) for each in plans if min(each.count, 3) == count
        )

    def film(self, size: int | None = None) -> Path:
        """Write a film of so many bytes, or of three parts."""
        size = self.long if size is None else size
        place = self.folder / str(size)
        place.mkdir(exist_ok=True)
        path = place / self.peer.film
        if not path.exists():
            path.write_bytes(content(size))
        return path

    def uploader(self, **settings: Any) -> Uploader:
        """Return an uploader that waits for nothing, on a journal in memory."""
        given = {"clock": self.clock, "metrics": False, "timeouts": PATIENT}
        made = Uploader(**{**given, "credentials": self.credentials, **settings})
        self._open.append(made)
        return made

    def credentials(self, transport: str, account: str | None) -> Any:
        """Serve uploads that are taken from a journal."""
        found = self.rebuilt(self.destination())
        if found.credentials is not None:
            return found.credentials(transport, account)
        return found.access_token or ""

    def rebuilt(self, destination: Destination, token: str | None = None) -> Destination:
        """Return what the factory makes of a destination's public fields."""
        token = token or self.peer.token
        secret = None if token is None else Secret(token)
        return self.factory.destination(secret, destination.fields())

    def upload(self, film: Path, *, tape: Tape | None = None, **settings: Any) -> UploadResult:
        """Upload with an uploader of its own, and close it."""
        with self.uploader(**settings) as uploader:
            destination = self.destination()
            return uploader.upload(film, taped(destination, tape) if tape else destination)

    def check_held(self, film: Path, result: UploadResult | None = None) -> None:
        """Check that nothing but the film is there, at most once, and exactly once when done."""
        wanted = digest(film)
        held = self.peer.held(self.name)
        assert [(each.size, each.sha256) for each in held] in ([], [wanted]), (held, wanted)
        if result is not None and result.outcome is Outcome.DONE:
            assert len(held) == 1, f"{result} is done, and the peer holds nothing"
            assert result.error is None

    def check_done(self, film: Path, result: UploadResult) -> None:
        """Check that the film is there, once."""
        assert result.outcome is Outcome.DONE, (result, self.proxy.exchanges)
        self.check_held(film, result)

    def close(self) -> None:
        self.proxy.release()
        for uploader in self._open:
            uploader.close()


class TransportFrame:
    """Stand a peer behind a proxy for each test.

    Override `transport` (the entry point's name) and the fixture `peer`. Where several entry points
    are doors to one transport, `leads_to` is its name.
    """

    transport: ClassVar[str]
    leads_to: ClassVar[str] = ""

    @pytest.fixture
    def proxy(self) -> Iterator[FaultyProxy]:
        """Listen; the peer is told the proxy's `base_url`, and the proxy then the peer's."""
        with FaultyProxy() as made:
            yield made

    @pytest.fixture
    def peer(self, proxy: FaultyProxy) -> Iterator[Peer]:
        """Run a peer that is reached through the proxy."""
        raise NotImplementedError("override the fixture `peer`")

    @pytest.fixture
    def stage(self, proxy: FaultyProxy, peer: Peer, tmp_path: Path) -> Iterator[Stage]:
        """Set a test's stage."""
        proxy.peer = peer.url
        made = Stage(registry.load(self.transport), peer, proxy, tmp_path)
        yield made
        made.close()


def cut(size: int, limits: Capabilities) -> Plan | None:
    """Return the plan of a size, `None` where there is none."""
    try:
        return plan(size, limits)
    except PlanError:
        return None


@cache
def _block() -> bytes:
    return random.Random(2031).randbytes(BLOCK)  # noqa: S311 - content, not a secret


def content(size: int) -> bytes:
    """Return bytes that repeat nowhere: a block, numbered each time it comes."""
    blocks = (n.to_bytes(8, "big") + _block()[8:] for n in range(-(-size // BLOCK)))
    return b"".join(blocks)[:size]


def digest(film: Path) -> tuple[int, str]:
    """Return size and SHA-256 of a file."""
    with film.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return film.stat().st_size, found
