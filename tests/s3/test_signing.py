"""Requests are signed as botocore's own client signs them, by our clock, with what is valid now."""

import json
import logging
import os
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from tests.s3.flows import PLAN, SESSION, Content, refused, run, spec, stored, transport, xml
from transports.s3 import AwsCredentials, S3Credential, S3Object
from uploader.errors import AuthenticationError, ConfigurationError
from uploader.http import Request, Response
from uploader.secret import Secret

KEYS = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "session/token==")
NOW = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)


def secrets(*keys: str) -> tuple[Secret, ...]:
    """Return keys as a destination hands them over."""
    return tuple(Secret(key) for key in (*keys, "", "")[:3])


class Captured(Exception):
    """What botocore's client would have sent."""

    def __init__(self, request: Any) -> None:
        super().__init__()
        self.request = request


def botocores(operation: str, *, token: bool, **arguments: Any) -> Any:
    """Return the signed request that botocore's client makes."""

    def capture(request: Any, **_: Any) -> AWSResponse:
        raise Captured(request)

    client = boto3.client(
        "s3",
        region_name="eu-west-1",
        aws_access_key_id=KEYS[0],
        aws_secret_access_key=KEYS[1],
        aws_session_token=KEYS[2] if token else None,
        config=Config(
            s3={"payload_signing_enabled": True},
            request_checksum_calculation="when_required",
            retries={"total_max_attempts": 1},
        ),
    )
    client.meta.events.register("before-send.s3", capture)
    with pytest.raises(Captured) as caught:
        getattr(client, operation)(**arguments)
    return caught.value.request


def text(value: Any) -> str:
    """Return a header's value as text."""
    return value.decode() if isinstance(value, bytes) else str(value)


@pytest.mark.parametrize("token", [False, True])
@pytest.mark.parametrize("key", ["k", "/a b+c", "ü/日本.mp4", "a//../b~-_.!*'()", "x?y=1&z#%41"])
@pytest.mark.parametrize(
    ("operation", "ours", "arguments"),
    [
        ("create_multipart_upload", "create",
         {"ContentType": "video/mp4", "Metadata": {"a": "b  c"},
          "CacheControl": "no-store, max-age=0"}),
        ("upload_part", "put_part", {"PartNumber": 2, "UploadId": "id/+1", "Body": b"content"}),
        ("list_parts", "query", {"UploadId": "id/+1", "MaxParts": 1000, "PartNumberMarker": 0}),
        ("abort_multipart_upload", "abort", {"UploadId": "id/+1"}),
        ("head_object", "verify", {}),
    ],
)  # fmt: skip
def test_a_signature_is_botocores(
    operation: str, ours: str, arguments: dict[str, Any], key: str, *, token: bool
) -> None:
    """For the same request at the same second, from the URL that our flows make."""
    theirs = botocores(operation, token=token, Bucket="my-bucket", Key=key, **arguments)
    to = S3Object(
        "my-bucket",
        key,
        region="eu-west-1",
        checksum=None,
        cache_control="no-store, max-age=0",
        metadata={"a": "b  c"},
    ).transport()
    gone = refused(404, "NoSuchUpload")
    flows: dict[str, Any] = {
        "create": lambda: next(to.create(spec())),
        "put_part": lambda: next(to.put_part(SESSION, PLAN, PLAN.part(1), Content(b"content"))),
        "query": lambda: next(to.query(SESSION)),
        "abort": lambda: next(to.abort(SESSION)),
        "verify": lambda: _second(to.verify(SESSION, {}), gone),
    }
    request: Request = flows[ours]()
    assert request.method == theirs.method
    assert path_of(str(request.url)) == path_of(theirs.url)
    mine = {name.lower(): text(value) for name, value in request.headers.items()}
    sent = {name.lower(): text(value) for name, value in theirs.headers.items()}
    added = signed(
        Request(
            request.operation,
            request.method,
            request.url,
            headers={
                name: sent[name]
                for name in _names(sent["authorization"])
                if name not in ("host", "x-amz-date", "x-amz-security-token")
            },
        ),
        sent["x-amz-date"],
        token=token,
    )
    assert added["Authorization"] == sent["authorization"]
    assert {name for name in mine if name.startswith("x-amz-meta")} == {
        name for name in sent if name.startswith("x-amz-meta")
    }


def _second(flow: Any, answer: Response) -> Request:
    next(flow)
    request: Request = flow.send(answer)
    return request


def _names(authorization: str) -> list[str]:
    return authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")


def path_of(url: str) -> tuple[str, frozenset[str]]:
    """Return a URL's path, and its query without an order."""
    path, _, query = url.partition("?")
    named = {each if "=" in each else f"{each}=" for each in query.split("&") if each}
    return path, frozenset(named)


def signed(request: Request, stamp: str, *, token: bool) -> dict[str, str]:
    """Return the headers that sign a request at that second."""
    now = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    keys = secrets(*KEYS) if token else secrets(*KEYS[:2])
    source = AwsCredentials(region="eu-west-1", keys=keys, clock=lambda: now)
    added = source("s3", None).sign(request)
    return {name: v.reveal() if isinstance(v, Secret) else v for name, v in added.items()}


def test_the_vendors_own_example_is_signed_as_it_says() -> None:
    """PUT test$file.text of the documentation, whose signature it tells.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    """
    request = Request(
        "put",
        "PUT",
        "https://examplebucket.s3.amazonaws.com/test%24file.text",
        headers={
            "Date": "Fri, 24 May 2013 00:00:00 GMT",
            "x-amz-storage-class": "REDUCED_REDUNDANCY",
            "x-amz-content-sha256": (
                "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
            ),
        },
    )
    now = datetime(2013, 5, 24, tzinfo=UTC)
    source = AwsCredentials(region="us-east-1", keys=secrets(*KEYS[:2]), clock=lambda: now)
    signature = source("s3", None).sign(request)["Authorization"]
    assert isinstance(signature, Secret)
    assert signature.reveal().endswith(
        "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    )


REQUEST = Request("put", "PUT", "https://b.s3.eu-west-1.amazonaws.com/k",
                  headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, auth="s3")  # fmt: skip


def test_secrets_are_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Not by botocore's log, where it writes what it signs, nor by a repr."""
    caplog.set_level(logging.DEBUG)
    credential = AwsCredentials(region="r", keys=secrets(*KEYS))("s3", None)
    told = f"{credential!r} {credential.sign(REQUEST)!r} {caplog.text}"
    assert not any(key in told for key in KEYS)


def test_a_clock_that_is_wrong_is_corrected_by_the_servers() -> None:
    """What is signed after a refusal bears the server's time; a small difference is left alone."""
    source = AwsCredentials(region="r", keys=secrets(*KEYS), clock=lambda: NOW)

    def stamp() -> str:
        return str(source("s3", None).sign(REQUEST)["X-Amz-Date"])

    for ahead, expected in ((30, "160000"), (7200, "180000"), (7230, "180000"), (-86400, "160000")):
        there = format_datetime(NOW + timedelta(seconds=ahead), usegmt=True)
        source("s3", None).learn(refused(403, "RequestTimeTooSkewed", date=there))
        assert stamp()[9:15] == expected
    assert stamp() == "20261121T160000Z"


@pytest.mark.parametrize("date", ["", "yesterday", "Sun, 99 Nov 2026 16:00:00 GMT"])
def test_a_date_that_is_none_teaches_nothing(date: str) -> None:
    """Nor does an answer without one."""
    source = AwsCredentials(region="r", keys=secrets(*KEYS), clock=lambda: NOW)
    source("s3", None).learn(Response(403, {"date": date} if date else {}))
    assert source("s3", None).sign(REQUEST)["X-Amz-Date"] == "20261122T160000Z"


def key_of(source: AwsCredentials) -> str:
    """Return the access key that signs."""
    value = source("s3", None).sign(REQUEST)["Authorization"]
    assert isinstance(value, Secret)
    return value.reveal().partition("Credential=")[2].partition("/")[0]


def test_a_profiles_file_is_read_again_when_its_key_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Found once for all uploads of the process; keys that were replaced are found again."""
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    source = AwsCredentials(region="r", profile="rotating")
    for name in ("AKIAFIRST", "AKIASECOND"):
        file.write_text(f"[rotating]\naws_access_key_id = {name}\naws_secret_access_key = hush\n")
        if name == "AKIASECOND":
            assert key_of(source) == "AKIAFIRST"
            source("s3", None).learn(refused(403, "InvalidAccessKeyId"))
        assert key_of(source) == name


def test_temporary_credentials_are_renewed_by_botocore(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A process that prints keys is asked again when these are about to expire."""
    asked = tmp_path / "asked"
    program = tmp_path / "program.py"
    expires = (datetime.now(UTC) + timedelta(seconds=30)).isoformat()
    program.write_text(
        "import json, sys\n"
        f"with open({str(asked)!r}, 'a') as file: file.write('x')\n"
        f"count = len(open({str(asked)!r}).read())\n"
        "print(json.dumps({'Version': 1, 'AccessKeyId': f'ASIA{count}', 'SecretAccessKey': 'h',"
        f" 'SessionToken': 't', 'Expiration': {expires!r}}}))\n"
    )
    config = tmp_path / "config"
    config.write_text(f"[profile renewing]\ncredential_process = {sys.executable} {program}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    source = AwsCredentials(region="r", profile="renewing")
    assert key_of(source) != key_of(source)


def test_credentials_that_are_nowhere_are_a_sentence() -> None:
    """It says where botocore would look; and a failing helper is named by its class alone."""
    with pytest.raises(ConfigurationError, match="botocore found no AWS credentials"):
        AwsCredentials(region="r", profile=None)("s3", None)


def test_a_helper_that_fails_is_not_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a credential process printed may be a secret."""
    config = tmp_path / "config"
    config.write_text("[profile broken]\ncredential_process = sh -c 'echo hushhush >&2; exit 3'\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    with pytest.raises(AuthenticationError) as caught:
        AwsCredentials(region="r", profile="broken")("s3", None)
    assert "hushhush" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_forked_child_finds_credentials_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the parent found, and the lock that it may hold, stay with the parent."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAPARENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    source = AwsCredentials(region="r", profile=None)
    assert key_of(source) == "AKIAPARENT"
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.environ["AWS_ACCESS_KEY_ID"] = "AKIACHILD"
        os.write(writer, json.dumps(key_of(source)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        assert json.load(said) == "AKIACHILD"
    os.waitpid(child, 0)
    source("s3", None).learn(refused(403, "InvalidAccessKeyId"))


def test_a_users_own_source_may_return_a_credential() -> None:
    """An `S3Credential` signs with any object that has key, secret and token."""
    frozen = type("Keys", (), {"access_key": "AKIAOWN", "secret_key": "s", "token": None})
    assert "X-Amz-Security-Token" not in S3Credential(frozen, "r").sign(REQUEST)


def test_flows_carry_what_the_signature_needs() -> None:
    """Every request names its credential and the hash of its payload."""
    to = transport()
    answers = [xml("R", "<UploadId>u</UploadId>"), stored(b"x")]
    asked = [
        *run(to.create(spec()), answers[:1])[0],
        *run(to.put_part(SESSION, PLAN, PLAN.part(0), Content(b"x")), answers[1:])[0],
    ]
    assert all(each.auth == "s3" and each.headers["x-amz-content-sha256"] for each in asked)
