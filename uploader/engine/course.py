"""How far one run has come: what its end is judged by.

Rule: written by whoever takes the step, before the request whose loss would be ambiguous.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from uploader.model import Completion, Receipt, Session
from uploader.secret import Secret


class Sender(Protocol):
    """What sends an upload's parts, as the run's end sees it."""

    @property
    def in_doubt(self) -> bool:
        """Whether the irreversible part may be stored without our knowing."""
        ...

    @property
    def is_out(self) -> bool:
        """Whether every byte of the irreversible part left: the server may still read them."""
        ...

    @property
    def certain(self) -> bool:
        """Whether the irreversible part is the current one, and surely not stored by anybody."""
        ...

    @property
    def is_spent(self) -> bool:
        """Whether every byte of the last part left."""
        ...


@dataclass(slots=True)
class Course:
    """The facts of one run.

    `unsettled` tells that an earlier run may have posted, and the server has not told otherwise
    yet; `creating` that `create` was sent and not answered; `completing` that `complete` was, where
    it cannot be taken back; `spent` that every part is stored.
    """

    session: Session | None
    unsettled: bool
    announced: bool = False
    """Whether this run has recorded that it opens the upload. What an earlier one announced it
    does not know."""
    creating: bool = False
    completing: bool = False
    spent: bool = False
    sender: Sender | None = None
    resumed_from: int | None = None
    completion: Completion | None = None
    receipts: dict[int, Receipt] = field(default_factory=dict)

    def learn(self, secrets: Mapping[str, Secret]) -> Session:
        """Let the session hold what a part's receipt opens."""
        assert self.session is not None
        self.session = replace(self.session, secrets={**self.session.secrets, **secrets})
        return self.session

    def is_spent(self) -> bool:
        """Whether the source is needed no more, unless the last part has to be sent again."""
        return self.spent or (self.sender is not None and self.sender.is_spent)
