"""What a user constructs: refused when wrong, built again from public fields, silent on secrets."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest

from transports.tus import TusUpload
from transports.tus.factory import TUS
from uploader import registry
from uploader.errors import ConfigurationError
from uploader.secret import Secret
from uploader.transport import Moment, Order

URL = "https://uploads.example/files/"
LINK = "https://asia-files.tus.vimeo.com/files/vimeo-prod/opens-sesame"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "either a url or an upload_url"),
        ({"url": URL, "upload_url": LINK}, "either a url or an upload_url"),
        ({"url": "uploads.example"}, "refused"),
        ({"url": "ftp://uploads.example/"}, "refused"),
        ({"url": "https://user:word@uploads.example/"}, "refused"),
        ({"url": "https://uploads.example/a b"}, "refused"),
        ({"url": "https://uploads.example/é"}, "refused"),
        ({"url": "https://[oops"}, "refused"),
        ({"url": "http://uploads.example/", "access_token": "token"}, "in clear"),
        ({"url": "http://uploads.example/", "headers": {"Cookie": "a=b"}}, "in clear"),
        ({"upload_url": "http://uploads.example/opens-sesame"}, "in clear"),
        ({"upload_url": LINK, "parallel": 2}, "cannot go in parallel"),
        ({"url": URL, "parallel": 0}, "2 to 64"),
        ({"url": URL, "parallel": 65}, "2 to 64"),
        ({"url": URL, "part_size": 0}, "not above 0"),
        ({"url": URL, "part_size": -1, "parallel": 2}, "not above 0"),
        ({"url": URL, "checksum": "crc32"}, "'crc32'"),
        ({"url": URL, "session_lifetime": 0}, "above 0"),
        ({"url": URL, "metadata": {"a b": "c"}}, "'a b' is no key"),
        ({"url": URL, "metadata": {"": "c"}}, "is no key"),
        ({"url": URL, "metadata": {"a,b": "c"}}, "is no key"),
        ({"url": URL, "metadata": {"schlüssel": "c"}}, "is no key"),
        ({"url": URL, "metadata": {"a": 5}}, "is a int"),
        ({"url": URL, "headers": {"Tus-Resumable": "1.0.0"}}, "tus's own"),
        ({"url": URL, "headers": {"upload-offset": "0"}}, "tus's own"),
        ({"url": URL, "headers": {"X Y": "0"}}, "no name of a header"),
        ({"url": URL, "headers": {"X": "a\r\nb"}}, "no header can carry"),
        ({"url": URL, "access_token": ""}, "is empty"),
        ({"url": URL, "access_token": "a\nb"}, "line end"),
        ({"url": URL, "upload_hosts": ("https://cdn.example",)}, "is no host"),
        ({"url": URL, "upload_hosts": ("cdn example",)}, "malformed"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], says: str) -> None:
    """When the object is made, in one sentence."""
    with pytest.raises(ConfigurationError, match=says):
        TusUpload(**fields)


def test_plain_http_is_taken_where_no_secret_goes() -> None:
    """And on this machine with one."""
    assert TusUpload("http://uploads.example/").origin == "http://uploads.example"
    assert TusUpload("http://127.0.0.1:1080/files/", access_token="token").signed


@pytest.mark.parametrize(
    "given",
    [
        {"url": URL},
        {"url": "https://uploads.example/files?project=3"},
        {
            "url": URL,
            "metadata": {"title": "Grüße", "filename": None},
            "account": "acme",
            "content_type": "video/mp4",
            "part_size": 5_000_000,
            "parallel": 4,
            "checksum": "sha1",
            "headers": {"X-Tenant": "acme"},
            "upload_hosts": ("cdn.example",),
            "session_lifetime": 3600.0,
            "public_location": True,
            "access_token": Secret("token"),
        },
    ],
)
def test_public_fields_build_it_again(given: dict[str, Any]) -> None:
    """Through JSON and the factory that the entry point names; the token comes from elsewhere."""
    upload = TusUpload(**given)
    fields = json.loads(json.dumps(upload.fields()))
    token = given.get("access_token")
    again = registry.load("tus").destination(token, fields)
    assert again == upload
    assert again.identity_fields() == upload.identity_fields()
    assert again.transport() == upload.transport()


def test_an_upload_opened_elsewhere_is_built_again_without_its_url() -> None:
    """A journal keeps its origin; with a session that is enough."""
    upload = TusUpload(upload_url=LINK, part_size=5)
    again = TUS.destination(None, upload.fields())
    assert again.origin == upload.origin == "https://asia-files.tus.vimeo.com"
    assert again.upload_url is None
    assert "opens-sesame" not in json.dumps(upload.fields()) + repr(upload) + repr(again)


def test_secret_headers_are_not_kept() -> None:
    """Without them nothing is built again: it would be refused by the server, unsaid."""
    upload = TusUpload(URL, headers={"authorization": "Basic xyz", "X-Key": Secret("abc")})
    assert "xyz" not in repr(upload) + json.dumps(upload.fields())
    assert "abc" not in repr(upload) + json.dumps(upload.fields())
    with pytest.raises(ConfigurationError, match="X-Key, authorization"):
        TUS.destination(None, upload.fields())


def test_what_makes_it_another_upload() -> None:
    """Place and metadata do; how it is sent does not."""
    same = TusUpload(URL, {"a": "b"}).identity_fields()
    other = TusUpload(URL, {"a": "b"}, part_size=5, parallel=2, checksum="sha1", account="x")
    assert other.identity_fields() == same
    for changed in (TusUpload(URL, {"a": "c"}), TusUpload(URL + "x", {"a": "b"})):
        assert changed.identity_fields() != same
    links = [TusUpload(upload_url=LINK + str(n)).identity_fields() for n in (1, 1, 2)]
    assert links[0] == links[1] != links[2]
    assert "opens-sesame" not in str(links)


def test_no_frame_of_a_refusal_holds_a_secret() -> None:
    """A crash reporter that prints locals prints no URL, token or header."""
    for fields in (
        {"upload_url": "http://uploads.example/opens-sesame"},
        {"url": "ftp://x", "access_token": "opens-sesame"},
        {"url": "ftp://x", "headers": {"Authorization": "opens-sesame"}},
    ):
        with pytest.raises(ConfigurationError) as caught:
            TusUpload(**fields)
        frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)][1:]
        held = "".join(repr(frame.f_locals) for frame in frames)
        assert "sesame" not in held


def test_limits_are_what_the_protocol_sets() -> None:
    """In order by default, commits with the last byte; in parallel with the joining."""
    ordered, parallel = TusUpload(URL), TusUpload(URL, parallel=4)
    limits = ordered.transport().capabilities
    assert (limits.order, limits.irreversible) == (Order.SEQUENTIAL, Moment.LAST_PART)
    assert limits.accepts_partial
    assert limits.reopens
    limits = parallel.transport().capabilities
    assert (limits.order, limits.irreversible) == (Order.ANY, Moment.COMPLETE)
    assert limits.max_lanes == 4
    assert hasattr(ordered.transport(), "query")
    assert ordered.accountless


def test_a_url_names_the_server() -> None:
    """`tus+https://…` on a command line is the place where uploads are created."""
    assert TUS.locate("tus+https://uploads.example/files/") == {"url": URL}
    assert TUS.locate("tus+http://127.0.0.1/f") == {"url": "http://127.0.0.1/f"}
    assert set(TUS.schemes) == {"tus+https", "tus+http"}
    for url in ("https://uploads.example/", "tus://uploads.example/", "nothing"):
        with pytest.raises(ConfigurationError, match="no URL of a tus server"):
            TUS.locate(url)


def test_options_come_as_texts() -> None:
    """What a command line says is read; what cannot be read is refused."""
    upload = TUS.destination(
        None,
        {
            "url": URL,
            "metadata": "title=a=b,project=winter",
            "part_size": "5000000",
            "parallel": "2",
            "signed": "true",
            "upload_hosts": "cdn.example, cdn2.example",
            "session_lifetime": "60",
            "public_location": "yes",
            "account": None,
        },
    )
    assert upload.metadata == {"title": "a=b", "project": "winter"}
    assert (upload.part_size, upload.parallel, upload.session_lifetime) == (5_000_000, 2, 60.0)
    assert (upload.signed, upload.public_location) == (True, True)
    assert upload.upload_hosts == ("cdn.example", "cdn2.example")
    for name, text in (("part_size", "much"), ("metadata", "a"), ("signed", "perhaps")):
        with pytest.raises(ConfigurationError, match=name):
            TUS.destination(None, {"url": URL, name: text})
    with pytest.raises(ConfigurationError, match="no options chunk"):
        TUS.destination(None, {"url": URL, "chunk": 1})
