"""TikTok's transport keeps the contract, against the sandbox: posts, and drafts.

What TikTok fetches by itself (`PullPost`, `PhotoPost`) sends no byte of a film, which is what the
kit is about; tests/tiktok/test_posts.py has its kills, lost answers and resumes.
"""

from collections.abc import Iterator

import pytest

from transports.tiktok import DirectPost, InboxDraft
from transports.tiktok.sandbox import Sandbox, Switches
from uploader.testing.transports import Answer, FaultyProxy, Held, Peer, Stage, TransportContract


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


class InboxPeer(Peer):
    """A draft says nothing of itself, so an upload's name is the account whose draft it is."""

    wrong_token = "act.nobody-knows-this-one"
    expired = Answer(403)

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.url = sandbox.base_url
        self._tokens: dict[str, str] = {}

    def destination(self, base_url: str, name: str) -> InboxDraft:
        if name not in self._tokens:
            self._tokens[name] = self.sandbox.issue_token(scopes=["video.upload"], account=name)
        self.token = self._tokens[name]
        return InboxDraft(
            account=name, access_token=self.token, base_url=base_url, chunk_size=5_242_880
        )

    def held(self, name: str) -> list[Held]:
        posts = [post for post in self.sandbox.posts if post.account == name and post.inbox]
        return [Held(post.publish_id, post.size, post.sha256) for post in posts]


class TestTikTokInbox(TransportContract):
    """Every test of the kit, for drafts."""

    transport = "tiktok-inbox"
    leads_to = "tiktok"

    @pytest.fixture
    def peer(self, proxy: FaultyProxy) -> Iterator[InboxPeer]:
        """Serve a strict TikTok with room for many drafts."""
        switches = Switches(pending_drafts=10_000)
        with Sandbox(
            rate_limits=False, public_base_url=proxy.base_url, strict=False, switches=switches
        ) as sandbox:
            yield InboxPeer(sandbox)
            assert [each for each in sandbox.violations if "after the 201" not in each] == []

    @pytest.mark.slow
    @pytest.mark.timeout(300)
    def test_survives_faults(self, stage: Stage) -> None:
        """The requests are those of posts, which meet the same faults in the short run."""
        super().test_survives_faults(stage)
