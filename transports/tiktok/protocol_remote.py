"""The flows of posts whose media TikTok fetches itself: init, then the status.

Rule: pure. No byte is sent: the one part of such an upload is its manifest, which proves to a
journal what was posted, and stays here. From `init` on there is no way back.
https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide, "PULL_FROM_URL"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from transports.tiktok import operations
from transports.tiktok.paths import Endpoint
from uploader.errors import ConfigurationError, RejectedError
from uploader.http import Body
from uploader.limits import Rate
from uploader.model import (
    MIB,
    Completion,
    Part,
    Plan,
    Processing,
    Receipt,
    Session,
    SourceFacts,
    UploadSpec,
)
from uploader.secret import Secret
from uploader.transport import Capabilities, Flow, Moment, Order, TailRule

MANIFEST: Final = Capabilities(
    order=Order.SEQUENTIAL,
    tail=TailRule.SHORT,
    irreversible=Moment.CREATE,
    part_size=MIB,
    min_part=1,
    max_part=MIB,
    max_parts=1,
    max_size=MIB,
    max_single=MIB,
    max_last_part=MIB,
)
"""A manifest is far smaller: 35 addresses of at most 8 KiB are named by their digests in it."""


def manifest_limits(rates: tuple[Rate, ...]) -> Capabilities:
    """Return a manifest's limits, and how often the account may post."""
    return replace(MANIFEST, rates=rates)


PARTIAL: Final = (
    "the media's addresses are not whole: a journal keeps none of what follows their question marks"
)
AGAIN: Final = "publish the post again, with its addresses, or let them carry no signature"


@dataclass(frozen=True, slots=True)
class RemoteTransport:
    """One post by address.

    `source_info` is completed by the addresses, one for a video and a list for photos.
    `manifest` is the content that a journal knows it by.
    """

    path: Endpoint
    content: Mapping[str, Any]
    source_info: Mapping[str, Any]
    addresses: Mapping[str, Secret | tuple[Secret, ...]] = field(repr=False)
    manifest: bytes = field(repr=False)
    base_url: str
    withheld: bool = False
    capabilities: Capabilities = MANIFEST
    name: str = "tiktok"
    reference: str = "publish_id"

    def content_type(self, facts: SourceFacts) -> str:
        """Return the manifest's type; a file in its place is refused."""
        found = self.manifest
        if facts.size != len(found) or facts.head != found[: len(facts.head)] or not facts.head:
            raise ConfigurationError(
                "TikTok fetches this post's media by address: no file is sent"
            ).hint("give None for the source")
        if self.withheld:
            raise ConfigurationError(PARTIAL).hint(AGAIN)
        return "application/json"

    def create(self, spec: UploadSpec) -> Flow[Session]:
        """Send `init`: TikTok begins to download, and may publish at any moment."""
        if self.withheld:
            raise RejectedError(f"init: {PARTIAL}", operation="init").hint(AGAIN)
        opened = yield from operations.open_post(self.base_url, self.path, self._init())
        return Session({"publish_id": opened.publish_id})

    def put_part(self, session: Session, plan: Plan, part: Part, body: Body) -> Flow[Receipt]:
        """Send nothing."""
        yield from ()  # a flow is a generator, also when it asks for nothing
        return Receipt(part.index)

    def complete(self, session: Session, receipts: Mapping[int, Receipt]) -> Flow[Completion]:
        """Do nothing: `init` was all."""
        yield from ()
        return Completion(fields=dict(session.fields))

    def poll(self, session: Session) -> Flow[Processing]:
        """Ask the status."""
        status = yield from operations.post_status(self.base_url, session.fields["publish_id"])
        return status.processing()

    def _init(self) -> dict[str, Any]:
        plain = {
            name: each.reveal() if isinstance(each, Secret) else [url.reveal() for url in each]
            for name, each in self.addresses.items()
        }
        return {**self.content, "source_info": {**self.source_info, **plain}}
