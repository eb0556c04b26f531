"""Uploads through the whole engine to a real server that checks signatures and checksums."""

import logging
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.s3.flows import refused
from tests.s3.rig import GUEST, LATE, OWNER, PART, Bucket, S3Server, destination
from transports.s3 import S3Limits
from uploader import Outcome, Uploader, UploadResult
from uploader.errors import (
    AuthenticationError,
    ConfigurationError,
    RejectedError,
    RetriesExhaustedError,
    TransportError,
)
from uploader.model import MIB
from uploader.planner import plan
from uploader.testing.clock import StillClock
from uploader.testing.faulty_proxy import Answer, Fault, FaultyProxy, LoseAnswer, Stall

KEY = "films/a film.mp4"


@pytest.fixture
def uploader() -> Iterator[Uploader]:
    """Upload on a clock that waits for nothing."""
    with Uploader(clock=StillClock(), metrics=False) as uploader:
        yield uploader


def film(folder: Path, size: int) -> Path:
    """Write a film of so many bytes."""
    path = folder / f"{size}.mp4"
    path.write_bytes(random.Random(size).randbytes(size))
    return path


def error_of(result: UploadResult) -> Any:
    """Return why an upload did not succeed, under what says that trying again was in vain."""
    error = result.error
    return error.last if isinstance(error, RetriesExhaustedError) else error


@pytest.mark.parametrize("checksum", ["crc32c", "sha256", None])
@pytest.mark.parametrize("size", [1, PART - 1, PART, PART + 1, 2 * PART, 3 * PART + 7])
def test_every_size_arrives(
    uploader: Uploader,
    server: S3Server,
    bucket: Bucket,
    tmp_path: Path,
    size: int,
    checksum: str | None,
) -> None:
    """Whole, in as many parts as planned, with either checksum or, as clones want it, none."""
    path = film(tmp_path, size)
    to = destination(server.url, bucket.name, KEY, checksum=checksum or "none")
    result = uploader.upload(path, to)
    assert result.outcome is Outcome.DONE, result.error
    assert bucket.read(KEY) == path.read_bytes()
    head = bucket.head(KEY)
    assert result.fields["etag"] == head["ETag"]
    assert result.parts == plan(size, to.transport().capabilities).count
    assert head["ETag"].strip('"').endswith(f"-{result.parts}") == (result.parts > 1)
    assert bucket.open_uploads() == []


@pytest.mark.parametrize("size", [10, 2 * PART])
def test_what_describes_an_object_arrives(
    uploader: Uploader, server: S3Server, bucket: Bucket, tmp_path: Path, size: int
) -> None:
    """Media type, metadata and the other fields, of small and of large objects alike."""
    to = destination(
        server.url,
        bucket.name,
        KEY,
        cache_control="max-age=60",
        content_disposition='attachment; filename="a.mp4"',
        metadata={"Title": "two  spaces", "empty": ""},
        storage_class="STANDARD_IA",
        server_side_encryption="AES256",
        acl="public-read",
    )
    assert uploader.upload(film(tmp_path, size), to).outcome is Outcome.DONE
    head = bucket.head(KEY)
    assert head["ContentType"] == "video/mp4"
    assert head["CacheControl"] == "max-age=60"
    assert head["ContentDisposition"] == 'attachment; filename="a.mp4"'
    assert head["Metadata"] == {"title": "two  spaces", "empty": ""}
    assert head["StorageClass"] == "STANDARD_IA"
    assert head["ServerSideEncryption"] == "AES256"
    grants = bucket.client.get_object_acl(Bucket=bucket.name, Key=KEY)["Grants"]
    assert "READ" in [each["Permission"] for each in grants]


@pytest.mark.parametrize("size", [10, 2 * PART])
@pytest.mark.parametrize(
    "key", ["/leading", "a b+c%2B", "ü/日本/🎬.mp4", "a//b", "q?x=1&y#z", "~!*'();:@=,$"]
)
def test_a_key_arrives_as_it_was_given(
    uploader: Uploader, server: S3Server, bucket: Bucket, tmp_path: Path, size: int, key: str
) -> None:
    """Spaces, plus signs, other scripts, slashes in a row or in front: the server has that key."""
    path = film(tmp_path, size)
    assert uploader.upload(path, destination(server.url, bucket.name, key)).outcome is Outcome.DONE
    listed = bucket.client.list_objects_v2(Bucket=bucket.name)["Contents"]
    assert [each["Key"] for each in listed] == [key]
    assert bucket.read(key) == path.read_bytes()


def test_parts_go_in_lanes_and_in_any_order(
    server: S3Server, bucket: Bucket, tmp_path: Path
) -> None:
    """While the first part is held, others overtake it; the object is in order all the same."""
    path = film(tmp_path, 6 * PART)
    held = Fault(method="PUT", path=r"partNumber=1&", act=Stall())
    with FaultyProxy(server.url) as proxy, Uploader(metrics=False) as uploader:
        proxy.script(held)
        handle = uploader.submit(path, destination(proxy.base_url, bucket.name, KEY, max_lanes=3))
        create_and_five_parts = 6
        proxy.wait_for(
            lambda: sum(each.answered == 200 for each in proxy.exchanges) == create_and_five_parts
        )
        assert proxy.stalls == 1
        proxy.release()
        assert handle.result().outcome is Outcome.DONE
    assert bucket.read(KEY) == path.read_bytes()


def test_a_part_that_was_stored_unheard_is_replaced(
    uploader: Uploader, server: S3Server, bucket: Bucket, tmp_path: Path
) -> None:
    """Sent again under its number, it is one part still."""
    path = film(tmp_path, 3 * PART)
    with FaultyProxy(server.url) as proxy:
        proxy.script(Fault(method="PUT", path=r"partNumber=2&", act=LoseAnswer()))
        result = uploader.upload(path, destination(proxy.base_url, bucket.name, KEY))
        sent = [each for each in proxy.exchanges if "partNumber=2&" in each.target.reveal()]
    assert result.outcome is Outcome.DONE
    assert len(sent) == 2
    assert bucket.head(KEY)["ETag"].strip('"').endswith("-3")
    assert bucket.read(KEY) == path.read_bytes()


@pytest.mark.parametrize(
    "act",
    [
        LoseAnswer(),
        Answer(200, b"", forward=True),
        Answer(500, forward=True),
        Answer(200, b"\n<Error><Code>InternalError</Code></Error>", forward=True),
        Answer(404, refused(404, "NoSuchUpload").content, forward=True),
    ],
)
def test_a_completion_that_was_not_heard_is_recognised(
    uploader: Uploader, server: S3Server, bucket: Bucket, tmp_path: Path, act: Any
) -> None:
    """The upload is gone and the object is there, by its checksum or ETag: it is done."""
    path = film(tmp_path, 3 * PART)
    with FaultyProxy(server.url) as proxy:
        proxy.script(Fault(method="POST", path=r"\?uploadId=", act=act))
        result = uploader.upload(path, destination(proxy.base_url, bucket.name, KEY))
        methods = [each.method for each in proxy.exchanges]
    assert result.outcome is Outcome.DONE, result.error
    assert methods.count("HEAD") == 1
    assert bucket.read(KEY) == path.read_bytes()


def test_a_completion_that_failed_inside_a_200_is_sent_again(
    uploader: Uploader, server: S3Server, bucket: Bucket, tmp_path: Path
) -> None:
    """The upload is still open, so that it surely was not completed."""
    path = film(tmp_path, 3 * PART)
    with FaultyProxy(server.url) as proxy:
        content = b"  \n" + refused(200, "InternalError").content
        proxy.script(Fault(method="POST", path=r"\?uploadId=", act=Answer(200, content)))
        result = uploader.upload(path, destination(proxy.base_url, bucket.name, KEY))
        methods = [each.method for each in proxy.exchanges]
    assert result.outcome is Outcome.DONE, result.error
    assert (methods.count("POST"), methods.count("HEAD")) == (3, 0)
    assert bucket.read(KEY) == path.read_bytes()


def test_a_completion_whose_object_is_gone_is_unknown(
    uploader: Uploader, server: S3Server, bucket: Bucket, tmp_path: Path
) -> None:
    """Somebody may have taken it away already: it is not sent again."""
    with FaultyProxy(server.url) as proxy:
        proxy.script(
            Fault(method="POST", path=r"\?uploadId=", act=LoseAnswer()),
            Fault(method="HEAD", path="", act=Answer(404)),
        )
        result = uploader.upload(
            film(tmp_path, 3 * PART), destination(proxy.base_url, bucket.name, KEY)
        )
    assert result.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("ahead", [7200, -7200])
def test_a_wrong_clock_is_put_right(
    uploader: Uploader, server: S3Server, bucket: Bucket, tmp_path: Path, ahead: int
) -> None:
    """Two hours ahead or behind: one refusal, then the server's time is signed with."""
    server.set_clock(ahead)
    try:
        path = film(tmp_path, 3 * PART)
        with FaultyProxy(server.url) as proxy:
            result = uploader.upload(path, destination(proxy.base_url, bucket.name, KEY))
            statuses = [each.answered for each in proxy.exchanges]
    finally:
        server.set_clock(0)
    assert result.outcome is Outcome.DONE, result.error
    assert statuses.count(403) == 1
    assert bucket.read(KEY) == path.read_bytes()


def test_temporary_keys_are_three(
    uploader: Uploader, server: S3Server, bucket: Bucket, tmp_path: Path
) -> None:
    """The session token is sent and signed."""
    to = destination(
        server.url,
        bucket.name,
        KEY,
        access_key_id=GUEST.key_id,
        secret_access_key=GUEST.secret,
        session_token=GUEST.token,
    )
    assert uploader.upload(film(tmp_path, 2 * PART), to).outcome is Outcome.DONE


@pytest.mark.parametrize(
    ("fields", "code", "kind"),
    [
        ({"secret_access_key": "wrong"}, "SignatureDoesNotMatch", AuthenticationError),
        ({"access_key_id": "AKIANOBODY"}, "InvalidAccessKeyId", AuthenticationError),
        ({"session_token": "wrong"}, "InvalidToken", AuthenticationError),
        (
            {
                "access_key_id": LATE.key_id,
                "secret_access_key": LATE.secret,
                "session_token": LATE.token,
            },
            "ExpiredToken",
            AuthenticationError,
        ),
        ({"region": "us-east-1"}, "AuthorizationHeaderMalformed", AuthenticationError),
        ({"bucket": "nobodys-bucket"}, "NoSuchBucket", RejectedError),
    ],
)
@pytest.mark.parametrize("size", [10, 2 * PART])
def test_a_refusal_says_what_is_wrong(
    uploader: Uploader,
    server: S3Server,
    bucket: Bucket,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    fields: dict[str, str],
    code: str,
    kind: type[TransportError],
    size: int,
) -> None:
    """S3's code and a hint, and no key or token in any log, text or result."""
    caplog.set_level(logging.DEBUG)
    given = {"bucket": bucket.name, "key": KEY, **fields}
    result = uploader.upload(film(tmp_path, size), destination(server.url, **given))
    error = error_of(result)
    assert isinstance(error, kind), error
    assert error.vendor_code == code
    assert error.hints
    if code == "AuthorizationHeaderMalformed":
        assert "eu-central-1" in error.hints[0]
    told = f"{result!r} {result.to_dict()} {caplog.text}"
    for secret in (OWNER.secret, GUEST.secret, LATE.secret, LATE.token, "AKIANOBODY"):
        assert secret not in told
    assert bucket.held(KEY) == []


def test_the_environments_keys_sign(
    uploader: Uploader,
    server: S3Server,
    bucket: Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a key, a callable or an account, botocore's chain is asked."""
    path = film(tmp_path, 2 * PART)
    to = destination(server.url, bucket.name, KEY, access_key_id=None, secret_access_key=None)
    with pytest.raises(ConfigurationError, match="botocore found no AWS credentials"):
        uploader.upload(path, to).raise_for_outcome()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", OWNER.key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", OWNER.secret)
    assert uploader.upload(path, to).outcome is Outcome.DONE


def test_cancelling_drops_what_the_server_holds(
    server: S3Server, bucket: Bucket, tmp_path: Path
) -> None:
    """AbortMultipartUpload is sent: parts that nobody completes cost money."""
    with FaultyProxy(server.url) as proxy, Uploader(metrics=False) as uploader:
        proxy.script(Fault(method="PUT", path=r"partNumber=2&", act=Stall()))
        handle = uploader.submit(
            film(tmp_path, 3 * PART), destination(proxy.base_url, bucket.name, KEY)
        )
        proxy.wait_for(lambda: proxy.stalls == 1)
        assert len(bucket.open_uploads(KEY)) == 1
        handle.cancel()
        assert handle.result().outcome is Outcome.CANCELLED
        proxy.release()
    assert bucket.open_uploads() == []
    assert bucket.held(KEY) == []


@pytest.mark.slow
def test_s3s_own_part_sizes_arrive(
    uploader: Uploader, server: S3Server, bucket: Bucket, tmp_path: Path
) -> None:
    """5 MiB and the default of 16 MiB, as on AWS."""
    path = film(tmp_path, 33 * MIB + 1)
    for size, parts in ((5 * MIB, 7), (16 * MIB, 3)):
        key = f"{KEY} in {parts}"  # to the same one it would be known as done
        to = destination(server.url, bucket.name, key, part_size=size, limits=S3Limits())
        assert uploader.upload(path, to).parts == parts
        assert bucket.read(key) == path.read_bytes()
