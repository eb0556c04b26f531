"""The XML that S3 speaks.

Rule: pure. A document with a type declaration is refused as soon as that begins: entities can be
declared nowhere else. Namespaces are dropped, because not every server writes S3's.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

_DEEPEST: Final = 16
_NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"


class DocumentError(ValueError):
    """These bytes are no document that S3 would write."""


@dataclass(slots=True)
class Element:
    """One element: its name without a namespace, its own text, what is in it."""

    name: str
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def get(self, name: str) -> str:
        """Return the text of the first child of this name, "" where there is none."""
        return next((each.text for each in self.children if each.name == name), "")

    def every(self, name: str) -> list[Element]:
        """Return the children of this name."""
        return [each for each in self.children if each.name == name]


def parse(content: bytes) -> Element:
    """Return the root of a document, or raise `DocumentError`."""
    builder = _Builder()
    # Named, because looking up what a document claims to be encoded in runs other code.
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    try:
        parser.Parse(content.lstrip(), True)  # noqa: FBT003 - pyexpat's own, positional only
    except expat.ExpatError as error:
        raise DocumentError(f"not XML: {expat.ErrorString(error.code)}") from None
    return builder.top.children[0]


class _Builder:
    def __init__(self) -> None:
        self.top = Element("")
        self._open = [self.top]

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if len(self._open) > _DEEPEST:
            raise DocumentError(f"elements lie more than {_DEEPEST} deep")
        element = Element(name.rpartition(" ")[2])
        self._open[-1].children.append(element)
        self._open.append(element)

    def end(self, name: str) -> None:
        self._open.pop()

    def text(self, data: str) -> None:
        self._open[-1].text += data

    def refuse(self, *declared: object) -> None:
        raise DocumentError("it declares a document type")


def completion(parts: Iterable[tuple[int, Mapping[str, str]]]) -> bytes:
    """Write what CompleteMultipartUpload wants: numbers from 1, each with its elements' texts.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
    """
    lines = [f'<CompleteMultipartUpload xmlns="{_NAMESPACE}">']
    for number, texts in parts:
        inner = "".join(
            f"<{name}>{html.escape(text, quote=False)}</{name}>" for name, text in texts.items()
        )
        lines.append(f"<Part>{inner}<PartNumber>{number}</PartNumber></Part>")
    lines.append("</CompleteMultipartUpload>")
    return "".join(lines).encode()
