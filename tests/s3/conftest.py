"""A server for the session, a bucket for each test."""

import itertools
import os
from collections.abc import Iterator

import pytest

from tests.s3.rig import Bucket, S3Server

_NUMBERS = itertools.count()


@pytest.fixture(autouse=True)
def _no_credentials_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep botocore away from whoever runs the tests, and from the network."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Serve S3; its log lies in the session's temporary directory."""
    with S3Server(tmp_path_factory.mktemp("s3") / "server.log") as server:
        yield server


@pytest.fixture
def bucket(server: S3Server) -> Bucket:
    """Make a bucket that no other test knows."""
    return Bucket(server.client(), f"bucket-{next(_NUMBERS)}")
