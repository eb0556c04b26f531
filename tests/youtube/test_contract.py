"""YouTube's transport keeps the contract, against the sandbox."""

from collections.abc import Iterator

import pytest

from transports.resumable import ALIGNMENT
from transports.youtube import YouTubeVideo
from transports.youtube.sandbox import YouTubeSandbox
from uploader.testing.transports import Answer, FaultyProxy, Held, Peer, TransportContract


class YouTubePeer(Peer):
    """A video's title is the upload's name."""

    wrong_token = "ya29.nobody-knows-this-one"
    expired = Answer(404)

    def __init__(self, sandbox: YouTubeSandbox) -> None:
        self.sandbox = sandbox
        self.url = sandbox.base_url
        self.token = sandbox.access_token

    def destination(self, base_url: str, name: str) -> YouTubeVideo:
        return YouTubeVideo(
            name,
            account="acme",
            access_token=self.token,
            base_url=base_url,
            part_size=ALIGNMENT,
        )

    def held(self, name: str) -> list[Held]:
        videos = [video for video in self.sandbox.videos if video.title == name]
        return [Held(video.video_id, video.size, video.sha256) for video in videos]

    def unfinished(self, name: str) -> int:
        named = [video for video in self.sandbox.uploads if video.title == name]
        return len([video for video in named if not (video.complete or video.cancelled)])


class TestYouTube(TransportContract):
    """Every test of the kit."""

    transport = "youtube"

    @pytest.fixture
    def peer(self, proxy: FaultyProxy) -> Iterator[YouTubePeer]:
        """Serve a strict YouTube, whose session URIs lead to the proxy."""
        with YouTubeSandbox() as sandbox:
            yield YouTubePeer(sandbox)
