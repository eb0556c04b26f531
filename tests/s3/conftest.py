"""A server for the session, a bucket for each test."""

import itertools
import os
from collections.abc import Iterator

import pytest

from tests.s3.rig import OWNER, OWNER_PROFILE, Bucket, S3Server

_NUMBERS = itertools.count()


@pytest.fixture(scope="session", autouse=True)
def _only_the_owners_profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let botocore find nothing but the profile `owner`: no user's keys, no network.

    For the session, because processes that are started once inherit it.
    """
    file = tmp_path_factory.mktemp("aws") / "credentials"
    file.write_text(
        f"[{OWNER_PROFILE}]\naws_access_key_id = {OWNER.key_id}\n"
        f"aws_secret_access_key = {OWNER.secret}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Serve S3; its log lies in the session's temporary directory."""
    with S3Server(tmp_path_factory.mktemp("s3") / "server.log") as server:
        yield server


@pytest.fixture
def bucket(server: S3Server) -> Bucket:
    """Make a bucket that no other test knows."""
    return Bucket(server.client(), f"bucket-{next(_NUMBERS)}")
