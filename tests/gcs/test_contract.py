"""Cloud Storage's transport keeps the contract, against the mended emulator."""

import pytest

from tests.gcs.emulator import Emulator
from transports.gcs import GcsObject
from transports.resumable import ALIGNMENT
from uploader.testing.transports import Answer, FaultyProxy, Held, Peer, TransportContract


class GcsPeer(Peer):
    """The object's name is the upload's, below a folder of the test's own."""

    wrong_token = "ya29.nobody-knows-this-one"
    expired = Answer(404)

    def __init__(self, emulator: Emulator, folder: str, *, plain: bool) -> None:
        self._emulator = emulator
        self._folder = folder
        self._metadata = {} if plain else {"made-by": "a test"}
        self.url = emulator.url
        self.token = emulator.token

    def destination(self, base_url: str, name: str) -> GcsObject:
        return GcsObject(
            self._emulator.bucket,
            f"{self._folder}/{name}",
            access_token=self.token,
            metadata=self._metadata,
            endpoint_url=base_url,
            part_size=ALIGNMENT,
        )

    def held(self, name: str) -> list[Held]:
        return self._emulator.held(f"{self._folder}/{name}")

    def unfinished(self, name: str) -> int:
        return self._emulator.unfinished(f"{self._folder}/{name}")


class TestSessions(TransportContract):
    """Every test of the kit, where each object has metadata and so a session."""

    transport = "gcs"

    @pytest.fixture
    def peer(
        self, proxy: FaultyProxy, emulator: Emulator, request: pytest.FixtureRequest
    ) -> GcsPeer:
        """Serve a folder of the bucket, behind the proxy."""
        return GcsPeer(emulator, request.node.name, plain=False)


@pytest.mark.slow
class TestAtOnce(TransportContract):
    """Every test of the kit, where what fits into one part goes in one request."""

    transport = "gcs"

    @pytest.fixture
    def peer(
        self, proxy: FaultyProxy, emulator: Emulator, request: pytest.FixtureRequest
    ) -> GcsPeer:
        """Serve a folder of the bucket, behind the proxy."""
        return GcsPeer(emulator, f"at-once-{request.node.name}", plain=True)
