"""S3's transport keeps the contract, against moto behind a gate that checks what S3 would."""

import json
from dataclasses import replace

import pytest

from tests.s3.rig import GUEST, OWNER, Bucket, S3Server, by_profile, destination
from transports.s3 import S3Object
from uploader.errors import ConfigurationError
from uploader.testing.transports import Answer, FaultyProxy, Held, Peer, Stage, TransportContract

GONE = b"<Error><Code>NoSuchUpload</Code><Message>gone</Message></Error>"


class S3Peer(Peer):
    """The key is the upload's name."""

    expired = Answer(404, GONE)
    secrets = (OWNER.secret,)

    def __init__(self, server: S3Server, bucket: Bucket) -> None:
        self.url = server.url
        self._bucket = bucket

    def destination(self, base_url: str, name: str) -> S3Object:
        return by_profile(base_url, self._bucket.name, name)

    def held(self, name: str) -> list[Held]:
        return self._bucket.held(name)

    def unfinished(self, name: str) -> int:
        return len(self._bucket.open_uploads(name))


class TestS3(TransportContract):
    """Every test of the kit."""

    transport = "s3"

    @pytest.fixture
    def peer(self, proxy: FaultyProxy, server: S3Server, bucket: Bucket) -> S3Peer:
        """Serve a bucket, behind the proxy."""
        return S3Peer(server, bucket)

    def test_its_identity_has_no_credential(self, stage: Stage) -> None:
        """Another key pair is the same upload, another key is another; a token is refused."""
        first = destination(stage.proxy.base_url, "bucket", stage.name)
        rotated = replace(first, access_key_id=GUEST.key_id, secret_access_key=GUEST.secret)
        assert rotated.identity_fields() == first.identity_fields()
        assert OWNER.key_id not in json.dumps([first.identity_fields(), first.fields()])
        assert replace(first, key="another").identity_fields() != first.identity_fields()
        with pytest.raises(ConfigurationError):
            stage.rebuilt(first, "a token")
