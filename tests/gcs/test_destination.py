"""A place in a bucket is refused when it is made, or it is one that Cloud Storage takes."""

import json
from typing import Any

import pytest

from transports.gcs import GcsObject, GoogleCredentials
from transports.gcs.factory import GCS
from uploader.errors import ConfigurationError
from uploader.model import SourceFacts
from uploader.secret import Secret


@pytest.mark.parametrize(
    "fields",
    [
        {"bucket": "ab"}, {"bucket": "Upper"}, {"bucket": "-dash"}, {"bucket": "a/b"},
        {"bucket": "a" * 223}, {"name": ""}, {"name": "."}, {"name": ".."}, {"name": "a\nb"},
        {"name": "ü" * 513}, {"name": "\ud800"}, {"name": ".well-known/acme-challenge/x"},
        {"metadata": {"a": "x" * 8192}}, {"metadata": {"a": 1}}, {"predefined_acl": "everybody"},
        {"storage_class": "near line"}, {"content_type": "video"}, {"content_type": "a/b\r\nX: y"},
        {"if_generation_match": -1}, {"crc32c": "AAAA"}, {"crc32c": "no base64!"},
        {"md5_hash": "AAAAAA=="}, {"part_size": 262_143}, {"part_size": 300_000}, {"part_size": 0},
        {"endpoint_url": "http://storage.example"}, {"endpoint_url": "ftp://x"},
        {"endpoint_url": "https://a@b"}, {"endpoint_url": "https://a/?b"}, {"endpoint_url": ""},
        {"access_token": ""}, {"access_token": "ya29.x\n"},
        {"anonymous": True, "access_token": "ya29.x"},
    ],
)  # fmt: skip
def test_what_cloud_storage_refuses_is_refused(fields: dict[str, Any]) -> None:
    """With an error of ours, before anything is sent; no token is in its text."""
    given = {"bucket": "films", "name": "a", **fields}
    with pytest.raises(ConfigurationError) as caught:
        GcsObject(given.pop("bucket"), given.pop("name"), **given)
    assert "ya29" not in str(caught.value)


def test_its_fields_make_it_again() -> None:
    """All of them, through JSON; the credential is not among them."""
    place = GcsObject(
        "films",
        "clips/ü.mp4",
        access_token="ya29.secret",
        content_type="video/mp4; codecs=avc1",
        metadata={"shot": "1"},
        storage_class="NEARLINE",
        predefined_acl="private",
        cache_control="no-store",
        if_generation_match=0,
        kms_key_name="projects/p/locations/l/keyRings/r/cryptoKeys/k",
        user_project="p",
        crc32c="AAAAAA==",
        checksum=True,
        part_size=524_288,
        endpoint_url="https://storage.example/",
    )
    fields = json.loads(json.dumps(place.fields()))
    assert "ya29.secret" not in json.dumps(fields) + repr(place)
    again = GCS.destination(Secret("ya29.other"), fields)
    assert again.fields() == place.fields()
    assert again.identity_fields() == place.identity_fields()
    assert "part_size" not in place.identity_fields()
    assert again.origin == "https://storage.example"


def test_an_emulator_may_be_spoken_to_in_clear() -> None:
    """Plain http is taken where no token goes, and requests are not signed then."""
    place = GcsObject("films", "a", anonymous=True, endpoint_url="http://gcs:4443")
    assert place.transport().auth is None


def test_the_words_of_a_command_are_read() -> None:
    """Numbers, switches and pairs come as text."""
    place = GCS.destination(
        Secret("ya29.x"),
        {"bucket": "films", "name": "a", "part_size": "524288", "checksum": "true",
         "metadata": "a=1,b=2", "content_type": None},
    )  # fmt: skip
    assert (place.part_size, place.checksum) == (524_288, True)
    assert place.metadata == {"a": "1", "b": "2"}
    for wrong in ({"part_size": "many"}, {"checksum": "maybe"}, {"metadata": "a"}, {"colour": "x"}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            GCS.destination(None, {"bucket": "films", "name": "a", **wrong})


def test_without_a_token_the_default_credentials_serve() -> None:
    """Unless none is wanted."""
    given = {"bucket": "films", "name": "a"}
    assert isinstance(GCS.destination(None, given).credentials, GoogleCredentials)
    assert GCS.destination(None, {**given, "anonymous": "yes"}).credentials is None


@pytest.mark.parametrize(
    ("url", "name"),
    [("gs://films/a", "a"), ("gs://films/a/b c.mp4", "a/b c.mp4"), ("gs://films/a?b#c", "a?b#c")],
)
def test_a_url_names_bucket_and_object(url: str, name: str) -> None:
    """As `gcloud storage` writes it; the rest of it is the name, whatever stands in it."""
    assert GCS.locate(url) == {"bucket": "films", "name": name}


@pytest.mark.parametrize("url", ["gs://films", "gs://films/", "gs:///a", "s3://films/a", "films"])
def test_a_url_without_an_object_is_refused(url: str) -> None:
    """With the form that is wanted."""
    with pytest.raises(ConfigurationError) as caught:
        GCS.locate(url)
    assert caught.value.hints == ["write gs://bucket/name"]


def test_the_media_type_is_given_or_recognised() -> None:
    """First bytes win over the name; what is not known is octets."""
    place = GcsObject("films", "a", anonymous=True).transport()
    assert place.content_type(SourceFacts("a.mp4", 1)) == "video/mp4"
    assert place.content_type(SourceFacts("a.txt", 1, b"\0\0\0\x14ftypqt  ")) == "video/quicktime"
    assert place.content_type(SourceFacts("a.unknown", 1)) == "application/octet-stream"
    typed = GcsObject("films", "a", anonymous=True, content_type="a/b").transport()
    assert typed.content_type(SourceFacts("a.mp4", 1)) == "a/b"


def test_sums_are_taken_only_when_asked_for() -> None:
    """They cost a pass over the content."""
    plain = GcsObject("films", "a", anonymous=True).transport().capabilities
    checked = GcsObject("films", "a", anonymous=True, checksum=True).transport().capabilities
    assert (plain.digests, checked.digests) == (frozenset(), frozenset({"crc32c"}))
