"""XML that a hostile or broken server sends cannot do harm; what we write is well-formed."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.s3.documents import DocumentError, completion, parse

BOMB = b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>'
FILE = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'


@pytest.mark.parametrize(
    "content",
    [
        BOMB,
        FILE,
        BOMB.decode().encode("utf-16"),
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>',
        b"<a>&undeclared;</a>",
        b"<a>" * 17 + b"</a>" * 17,
        b"",
        b"<a></b>",
        b'<?xml version="1.0" encoding="rot13"?><a',
        b"\xff\xfe",
    ],
)
def test_what_s3_never_writes_is_refused(content: bytes) -> None:
    """Type declarations, whatever the encoding, entities, depth, and what is no XML."""
    with pytest.raises(DocumentError):
        parse(content)


@given(st.binary(max_size=60) | st.text(alphabet="<>!&;a b=\"'/?[]-").map(str.encode))
def test_no_bytes_raise_anything_else(content: bytes) -> None:
    """Garbage is a `DocumentError` or a document."""
    try:
        parse(content)
    except DocumentError:
        return


def test_names_and_texts_are_read_without_namespaces() -> None:
    """Whether S3's namespace, another one or none; references of characters are resolved."""
    for space in ("", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', ' xmlns="urn:x"'):
        root = parse(f"<L{space}><P><E>&quot;a&#38;b&quot;</E></P><P/></L>".encode())
        assert root.name == "L"
        assert [part.get("E") for part in root.every("P")] == ['"a&b"', ""]


@given(st.text(alphabet=st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1))
def test_texts_survive(text: str) -> None:
    """What a server called its ETag goes back as it was."""
    root = ET.fromstring(completion([(1, {"ETag": text}), (2, {"ETag": "x"})]))  # noqa: S314 - ours
    assert [part[0].text for part in root] == [text, "x"]
