"""What a user may ask for, how it is kept, and where it goes."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.s3 import S3Limits, S3Object
from transports.s3.factory import S3
from uploader import registry
from uploader.errors import ConfigurationError
from uploader.model import MIB
from uploader.planner import plan
from uploader.transport import Moment, Order

KEYS = {"access_key_id": "AKIASECRETSECRET", "secret_access_key": "hushhushhushhush"}


def url(key: str = "k", bucket: str = "my-bucket", **fields: Any) -> str:
    """Return the URL of an object."""
    given = {"region": "eu-west-1", **fields}
    return S3Object(bucket, key, **given).transport().place.url


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "https://my-bucket.s3.eu-west-1.amazonaws.com/k"),
        ({"addressing": "path"}, "https://s3.eu-west-1.amazonaws.com/my-bucket/k"),
        ({"bucket": "my.bucket"}, "https://s3.eu-west-1.amazonaws.com/my.bucket/k"),
        ({"bucket": "My_Bucket"}, "https://s3.eu-west-1.amazonaws.com/My_Bucket/k"),
        ({"region": "cn-north-1"}, "https://my-bucket.s3.cn-north-1.amazonaws.com.cn/k"),
        ({"endpoint_url": "http://minio:9000/"}, "http://minio:9000/my-bucket/k"),
        (
            {"endpoint_url": "https://acc.r2.cloudflarestorage.com", "region": "auto"},
            "https://acc.r2.cloudflarestorage.com/my-bucket/k",
        ),
        (
            {"endpoint_url": "https://s3-accelerate.amazonaws.com", "addressing": "virtual"},
            "https://my-bucket.s3-accelerate.amazonaws.com/k",
        ),
        ({"endpoint_url": "https://host/s3"}, "https://host/s3/my-bucket/k"),
    ],
)
def test_an_object_has_one_address(fields: dict[str, Any], expected: str) -> None:
    """Virtual-hosted on AWS where the name allows it, by path on other servers."""
    assert url(**fields) == expected


@pytest.mark.parametrize(
    ("key", "escaped"),
    [
        ("a b+c.mp4", "a%20b%2Bc.mp4"),
        ("/leading", "/leading"),
        ("a//b/", "a//b/"),
        ("ü/日本/🎬", "%C3%BC/%E6%97%A5%E6%9C%AC/%F0%9F%8E%AC"),
        ("q?x=1&y#z%41", "q%3Fx%3D1%26y%23z%2541"),
        ("~-_.!*'()", "~-_.%21%2A%27%28%29"),
        ("../..", "../.."),
    ],
)
def test_a_key_is_escaped_once(key: str, escaped: str) -> None:
    """Every octet but letters, digits, -._~ and the slash, in capitals, as SigV4 counts it."""
    assert url(key).removeprefix("https://my-bucket.s3.eu-west-1.amazonaws.com/") == escaped


@pytest.mark.parametrize(
    "fields",
    [
        {"bucket": ""},
        {"bucket": "a/b"},
        {"bucket": "arn:aws:s3:eu-west-1:1:accesspoint/x"},
        {"bucket": "x--euw1-az1--x-s3"},
        {"key": ""},
        {"key": "k" * 1025},
        {"key": "\ud800"},
        {"region": "eu west"},
        {"region": "evil.example/"},
        {"endpoint_url": "ftp://x"},
        {"endpoint_url": "https://user@x"},
        {"endpoint_url": "https://x?y"},
        {"addressing": "dns"},
        {"bucket": "My_Bucket", "addressing": "virtual"},
        {"checksum": "md4"},
        {"part_size": 5 * MIB - 1},
        {"part_size": 5 * 1024 * MIB + 1},
        {"max_lanes": 0},
        {"acl": "everyone"},
        {"server_side_encryption": "rot13"},
        {"sse_kms_key_id": "k"},
        {"content_type": "video/mp4\r\nX: y"},
        {"cache_control": "ü"},
        {"metadata": {"a b": "c"}},
        {"metadata": {"a": "ü"}},
        {"metadata": {"a": "x" * 2048}},
        {"access_key_id": "only"},
        {"access_key_id": "a", "secret_access_key": "line\n"},
        {**KEYS, "profile": "p"},
        {**KEYS, "credentials": lambda transport, account: "token"},
    ],
)
def test_what_cannot_be_is_refused_at_once(fields: dict[str, Any]) -> None:
    """Before anything is sent, with a sentence that holds no secret."""
    given = {"bucket": "my-bucket", "key": "k", "region": "eu-west-1", **fields}
    with pytest.raises(ConfigurationError) as caught:
        S3Object(**given)
    assert "hush" not in str(caught.value)


def test_secrets_are_masked() -> None:
    """Neither repr nor public fields hold a key; as positional or named arguments alike."""
    given: dict[str, Any] = {**KEYS, "session_token": "tokentoken"}
    object_ = S3Object("b-1", "k", region="r", **given)
    for told in (repr(object_), str(vars(object_)), json.dumps(object_.fields())):
        assert not any(secret in told for secret in (*KEYS.values(), "tokentoken"))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"checksum": None, "endpoint_url": "http://minio:9000", "account": "acme"},
        {"checksum": "sha256", "metadata": {"a": "b"}, "acl": "private", "part_size": 8 * MIB},
        {"limits": S3Limits(min_part=1), "part_size": 1, "max_lanes": 2, "content_type": "a/b"},
        {"server_side_encryption": "aws:kms", "sse_kms_key_id": "k", "storage_class": "GLACIER"},
    ],
)
def test_public_fields_make_the_same_object_again(fields: dict[str, Any]) -> None:
    """Through JSON, the entry point's factory and the constructor."""
    first = S3Object("my-bucket", "k", region="eu-west-1", **fields)
    kept = json.loads(json.dumps(first.fields()))
    again = registry.load("s3").destination(None, kept)
    assert again.fields() == S3Object(**{**kept, "limits": first.limits}).fields() == kept
    assert again.transport() == first.transport()
    assert again.identity_fields() == first.identity_fields()


def test_what_was_signed_otherwise_is_not_signed_by_botocore_later() -> None:
    """Keys and callables are not kept: the uploader's own credentials take their place."""
    each: dict[str, Any]
    for each in (KEYS, {"credentials": lambda transport, account: "token"}):
        kept = S3Object("b-1", "k", region="r", **each).fields()
        assert kept["default_chain"] is False
        assert S3.destination(None, kept).credentials is None
    assert S3Object("b-1", "k", region="r").fields()["default_chain"] is True


def test_a_copy_signs_for_itself() -> None:
    """Another region or profile is not signed with what the first object had."""
    first = S3Object("b-1", "k", region="r-1")
    assert replace(first, region="r-2").credentials is not first.credentials


def test_limits_are_those_of_s3() -> None:
    """48.8 TiB in 10,000 parts of at most 5 GiB, in any order, settled by completion."""
    limits = S3.capabilities
    assert (limits.order, limits.irreversible) == (Order.ANY, Moment.COMPLETE)
    assert (limits.part_size, limits.max_lanes) == (16 * MIB, 8)
    largest = plan(limits.max_size, limits)
    assert (largest.count, largest.part_size) == (10_000, 5 * 1024 * MIB)
    assert round(limits.max_size / 2**40, 1) == 48.8


@given(st.integers(1, 5 * 1024 * MIB * 10_000))
def test_every_size_is_cut_within_the_limits(size: int) -> None:
    """Parts are equal but for the last; small objects go as one."""
    limits = S3.capabilities
    cut = plan(size, limits)
    assert cut.count <= 10_000
    assert cut.last_length <= cut.part_size
    assert cut.count == 1 or limits.min_part <= cut.part_size <= limits.max_part


def test_a_region_comes_from_the_environment_and_the_profile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """AWS_REGION, else what botocore reads, else us-east-1; it is kept as it was found."""
    assert S3Object("b-1", "k").region == "us-east-1"
    config = tmp_path / "config"
    config.write_text("[profile p]\nregion = ap-south-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert S3Object("b-1", "k", profile="p").fields()["region"] == "ap-south-1"
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert S3Object("b-1", "k").region == "eu-north-1"
    with pytest.raises(ConfigurationError, match="no profile 'nobody'"):
        S3Object("b-1", "k", profile="nobody")


@pytest.mark.parametrize(
    ("text", "bucket", "key"),
    [
        ("s3://b/k", "b", "k"),
        ("s3://b//k", "b", "/k"),
        ("S3://b/a?b#c%20d", "b", "a?b#c%20d"),
    ],
)
def test_a_url_is_taken_as_it_stands(text: str, bucket: str, key: str) -> None:
    """As the aws command takes it: the key is not unescaped."""
    assert S3.locate(text) == {"bucket": bucket, "key": key}


@pytest.mark.parametrize("text", ["s3://b", "s3://b/", "s3:///k", "https://b/k", "b/k"])
def test_another_url_is_refused(text: str) -> None:
    """A bucket alone names no object."""
    with pytest.raises(ConfigurationError):
        S3.locate(text)


@pytest.mark.parametrize(
    "fields",
    [{"key": "k"}, {"bucket": "b-1"}, {"bucket": "b-1", "key": "k", "nonsense": 1},
     {"bucket": "b-1", "key": "k", "part_size": "many"}],
)  # fmt: skip
def test_the_factory_refuses_with_a_sentence(fields: dict[str, Any]) -> None:
    """What is missing or unknown is named."""
    with pytest.raises(ConfigurationError):
        S3.destination(None, fields)


def test_numbers_may_come_as_text() -> None:
    """A command line has nothing else."""
    given = {"bucket": "b-1", "key": "k", "region": "r", "part_size": "8388608", "max_lanes": "2"}
    assert S3.destination(None, given).transport().capabilities.max_lanes == 2


def test_without_botocore_the_extra_is_named(tmp_path: Path) -> None:
    """The destination can be described without it; signing says what to install."""
    (tmp_path / "botocore.py").write_text("raise ImportError")
    program = (
        "from transports.s3 import S3Object\n"
        "made = S3Object('b-1', 'k')\n"
        "try: made.credentials('s3', None)\n"
        "except Exception as error: print(type(error).__name__, error, *error.hints)\n"
    )
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    environment = {**os.environ, "PYTHONPATH": path}
    said = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith("ConfigurationError")
    assert 'pip install "mmap-uploader[s3]"' in said.stdout
