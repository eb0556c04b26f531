"""Parcels keep the contract of transports, against a real server."""

import hashlib
from collections.abc import Iterator

import pytest
from parcel_server import ParcelServer
from parcel_uploader import Parcel

from uploader.testing.transports import Answer, FaultyProxy, Held, Peer, TransportContract


class ParcelPeer(Peer):
    wrong_token = "a-token-of-nobody"
    expired = Answer(410)

    def __init__(self, server: ParcelServer) -> None:
        self.server, self.url, self.token = server, server.url, server.token

    def destination(self, base_url: str, name: str) -> Parcel:
        return Parcel(label=name, base_url=base_url, account="me", access_token=self.token)

    def _of(self, name: str, *, sealed: bool) -> list[bytes]:
        parcels = list(self.server.parcels.values())
        return [p.content for p in parcels if p.name == name and bool(p.sealed) is sealed]

    def held(self, name: str) -> list[Held]:
        found = self._of(name, sealed=True)
        return [Held(name, len(each), hashlib.sha256(each).hexdigest()) for each in found]

    def unfinished(self, name: str) -> int:
        return len(self._of(name, sealed=False))


class TestParcel(TransportContract):
    transport = "parcel"

    @pytest.fixture
    def peer(self, proxy: FaultyProxy) -> Iterator[ParcelPeer]:
        with ParcelServer(token="a-token-of-these-tests") as server:
            yield ParcelPeer(server)
