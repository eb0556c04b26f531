"""What a transport can do beyond its duties.

Rule: looked up once for each upload; nobody else asks a transport what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from uploader.http import Body
from uploader.model import Completion, Confirmed, Processing, Receipt, Session, UploadSpec
from uploader.transport import Flow, Transport


@dataclass(frozen=True, slots=True)
class Abilities:
    """A transport's optional members, `None` where it lacks one."""

    query: Callable[[Session], Flow[Confirmed]] | None = None
    poll: Callable[[Session], Flow[Processing]] | None = None
    verify: Callable[[Session, Mapping[int, Receipt]], Flow[Completion | None]] | None = None
    abort: Callable[[Session], Flow[None]] | None = None
    put: Callable[[UploadSpec, Body], Flow[Completion]] | None = None
    reference: str | None = None

    @classmethod
    def of(cls, transport: Transport) -> Abilities:
        return cls(*(getattr(transport, name, None) for name in cls.__slots__))

    def refer(self, session: Session | None) -> str | None:
        """Return the word by which the server's notices tell of a session."""
        if self.reference is None or session is None:
            return None
        told = session.fields.get(self.reference)
        return told if isinstance(told, str) else None
