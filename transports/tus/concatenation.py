"""The flows of an upload in parallel: partial uploads in any order, joined by a last request.

Rule: pure. Each attempt at a part has a partial upload of its own, so that sending it again
replaces it whatever became of the bytes before; its URL is a secret of its receipt. Nothing counts
before the partial uploads are joined, and those that are never joined expire on the server.
https://tus.io/protocols/resumable-upload#concatenation
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from transports.media_types import media_type
from transports.tus.addresses import shortened
from transports.tus.protocol import TusServer, checksum, completion, cut_short
from transports.tus.wording import check_offer, joined, metadata_header, metadata_of
from uploader.errors import Recovery, SessionExpiredError
from uploader.http import Body
from uploader.model import (
    Completion,
    Confirmed,
    Part,
    Plan,
    Receipt,
    Session,
    SourceFacts,
    UploadSpec,
)
from uploader.secret import Secret
from uploader.transport import Capabilities, Flow

_PARTIAL = "partial_"


@dataclass(frozen=True, slots=True, kw_only=True)
class TusConcatenation:
    """One upload whose parts go in any order, each into a partial upload.

    Whether an unanswered joining was done nobody can ask: the final upload's URL is in the answer
    that was lost. Such an upload is UNKNOWN.
    """

    server: TusServer
    metadata: Mapping[str, str | None]
    capabilities: Capabilities
    media_type: str | None = None
    tells_location: bool = False
    name: str = "tus"

    def content_type(self, facts: SourceFacts) -> str:
        return self.media_type or media_type(facts)

    def create(self, spec: UploadSpec) -> Flow[Session]:
        """Ask whether the server joins uploads; nothing is opened yet."""
        offer = yield from self.server.ask()
        check_offer(offer, size=spec.size, extension="concatenation")
        if self.capabilities.digests:
            check_offer(offer, size=spec.size, extension="checksum", algorithm="sha1")
        return Session({"size": spec.size, "metadata": metadata_of(spec, self.metadata)})

    def put_part(self, session: Session, plan: Plan, part: Part, body: Body) -> Flow[Receipt]:
        """Open a partial upload and send the part to it."""
        headers = {"Upload-Length": str(part.length), "Upload-Concat": "partial"}
        url, _ = yield from self.server.open(headers)
        try:
            offset = yield from self.server.append(url, 0, body, digest=checksum(body))
        except SessionExpiredError as error:
            error.recovery = Recovery.RETRY  # only this partial upload is gone
            raise
        if offset < part.length:
            raise cut_short(part, part.start + offset)
        return Receipt(part.index, length=part.length, secrets={f"{_PARTIAL}{part.index}": url})

    def query(self, session: Session) -> Flow[Confirmed]:
        """Ask for each partial upload that was confirmed whether it is still there, and whole."""
        receipts = {}
        for name, url in session.secrets.items():
            index = int(name.removeprefix(_PARTIAL))
            try:
                held, length = yield from self.server.standing(url)
            except SessionExpiredError:
                continue
            if held == length:
                receipts[index] = Receipt(index, length=length)
        return Confirmed(None, receipts=receipts)

    def complete(self, session: Session, receipts: Mapping[int, Receipt]) -> Flow[Completion]:
        """Join the partial uploads, in their order."""
        urls = [session.secrets[f"{_PARTIAL}{index}"] for index in range(len(receipts))]
        headers: dict[str, str | Secret] = {
            "Upload-Concat": joined(shortened(url, self.server.url) for url in urls),
            **metadata_header(session.fields["metadata"]),
        }
        url, _ = yield from self.server.open(headers, operation="complete")
        return completion(url, session, tells=self.tells_location)

    def abort(self, session: Session) -> Flow[None]:
        for url in session.secrets.values():
            yield from self.server.drop(url)
