"""Where a test of this folder plays: a sandbox, a journal's place, and what is always true."""

from __future__ import annotations

import ssl
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transports.tiktok import DirectPost
from transports.tiktok.sandbox import Sandbox
from uploader import Outcome, Uploader, UploadResult
from uploader.journal import Entry
from uploader.journals import SqliteJournal

PART = 5_242_921
SIZE = 3 * PART
"""Three parts of about the smallest size that TikTok takes."""


@dataclass
class Stage:
    """A sandbox and the journal of those who upload to it."""

    sandbox: Sandbox
    journal: Path
    film: Path
    client: ssl.SSLContext | None = None
    """Trusts the sandbox, where it serves TLS."""

    @property
    def fields(self) -> dict[str, Any]:
        """What a process needs to make the destination."""
        return {
            "privacy_level": "SELF_ONLY",
            "account": "acme",
            "access_token": self.sandbox.access_token,
            "base_url": self.sandbox.base_url,
            "chunk_size": 5_242_880,
        }

    def post(self, **fields: Any) -> DirectPost:
        return DirectPost(**{**self.fields, **fields})

    def order(self, **more: Any) -> dict[str, Any]:
        """Return what a process of the nursery is told: the film, by this journal, to here."""
        return {
            "film": str(self.film),
            "journal": str(self.journal),
            "post": self.fields,
            "ca": self._authorities(),
            **more,
        }

    def uploader(self, **settings: Any) -> Uploader:
        """Return an uploader of this process, on the same journal."""
        given = {"journal": self.journal, "ssl_context": self.client, "metrics": False}
        return Uploader(
            **{**given, "credentials": lambda *_: self.sandbox.access_token, **settings}
        )

    def upload(self, **settings: Any) -> UploadResult:
        """Upload the film in this process."""
        with self.uploader(**settings) as uploader:
            return uploader.upload(self.film, self.post())

    def entry(self) -> Entry | None:
        """Return the newest upload in the journal."""
        journal = SqliteJournal(self.journal)
        try:
            return next(iter(journal.latest(1)), None)
        finally:
            journal.close()

    def seen(self, operation: str) -> int:
        return sum(request.operation == operation for request in self.sandbox.requests)

    @property
    def sent_again(self) -> int:
        """How many parts were sent more often than once, counted by each time."""
        counts = Counter(r.range for r in self.sandbox.requests if r.operation == "put")
        return sum(count - 1 for count in counts.values())

    def check_posted_once(self, result: UploadResult, *, kills: int = 1) -> None:
        """Check that there is one post, whole, and that no kill cost more than one part."""
        assert result.outcome is Outcome.DONE, result
        self.sandbox.assert_posted_once(self.film)
        assert len(self.sandbox.uploads) == 1
        assert self.sent_again <= kills
        assert self.sandbox.violations == []

    def _authorities(self) -> str | None:
        if self.client is None:
            return None
        found = self.client.get_ca_certs(binary_form=True)
        return "".join(ssl.DER_cert_to_PEM_cert(each) for each in found)
