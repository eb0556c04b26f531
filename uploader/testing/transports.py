"""The suite that any transport must pass; a third party's is done when it does.

    class TestMine(TransportContract):
        transport = "mine"                       # the entry point's name

        @pytest.fixture
        def peer(self, proxy: FaultyProxy) -> Iterator[Peer]:
            with MyServer(public_url=proxy.base_url) as server:
                yield MyPeer(server)             # a `Peer`: url, destination(), held(), …

Rule: only the contract's own words are used, and a real peer behind a `FaultyProxy`.
"""

from __future__ import annotations

from uploader.testing.faulty_proxy import Answer, FaultyProxy
from uploader.testing.transport_declared import DeclaredContract
from uploader.testing.transport_faults import FaultContract
from uploader.testing.transport_flows import FlowContract
from uploader.testing.transport_frame import Held, Peer, Stage
from uploader.testing.transport_kills import KillContract
from uploader.testing.transport_secrets import SecretContract
from uploader.testing.transport_uploads import UploadContract

__all__ = ["Answer", "FaultyProxy", "Held", "Peer", "Stage", "TransportContract"]


class TransportContract(
    UploadContract, FlowContract, DeclaredContract, FaultContract, KillContract, SecretContract
):
    """Everything that is promised of a transport. Override `transport` and the fixture `peer`."""
