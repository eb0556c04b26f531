"""TikTok's transport keeps the contract, against the sandbox."""

from collections.abc import Iterator

import pytest

from transports.tiktok import DirectPost
from transports.tiktok.sandbox import Sandbox
from uploader.testing.transports import Answer, FaultyProxy, Held, Peer, TransportContract


class TikTokPeer(Peer):
    """A post's title is the upload's name."""

    wrong_token = "act.nobody-knows-this-one"
    expired = Answer(403)

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.url = sandbox.base_url
        self.token = sandbox.access_token

    def destination(self, base_url: str, name: str) -> DirectPost:
        return DirectPost(
            privacy_level="SELF_ONLY",
            title=name,
            account="acme",
            access_token=self.token,
            base_url=base_url,
            chunk_size=5_242_880,
        )

    def held(self, name: str) -> list[Held]:
        posts = [post for post in self.sandbox.posts if post.title == name]
        return [Held(post.publish_id, post.size, post.sha256) for post in posts]


class TestTikTok(TransportContract):
    """Every test of the kit."""

    transport = "tiktok"

    @pytest.fixture
    def peer(self, proxy: FaultyProxy) -> Iterator[TikTokPeer]:
        """Serve a strict TikTok, whose upload URLs lead to the proxy."""
        with Sandbox(rate_limits=False, public_base_url=proxy.base_url, strict=False) as sandbox:
            yield TikTokPeer(sandbox)
            # A 503 after the last chunk was taken is answered by sending that once more.
            assert [each for each in sandbox.violations if "after the 201" not in each] == []
