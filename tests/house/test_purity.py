"""Pure rooms are pure by what they import and by what they call.

import-linter checks the same rooms against a list of what is forbidden, through every detour; these
tests know the standard library more finely, and turn it round: what is not listed is forbidden.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

WORDS_AND_CONTRACT = [
    f"uploader.{name}"
    for name in (
        "model",
        "http",
        "errors",
        "secret",
        "transport",
        "events",
        "journal",
        "tokens",
        "limits",
    )
]
DECISIONS = [
    f"uploader.{name}"
    for name in ("planner", "retry", "pacing", "identity", "breaker", "quantities")
]
# Every other room of a transport is pure, whatever its name.
EDGES = {
    "__init__",
    "accounts",
    "calls",
    "credentials",
    "factory",
    "google_credentials",
    "media_file",
    "preflight",
    "sandbox",
    "service",
    "webhooks",
}
# Credentials that nobody had to name.
DOORS = {("transports.s3.destination", "transports.s3.credentials")}

ALLOWED = {
    "__future__",
    "abc",
    "base64",
    "collections",
    "collections.abc",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "email.utils",
    "enum",
    "fractions",
    "functools",
    "google_crc32c",
    "hashlib",
    "hmac",
    "html",
    "ipaddress",
    "itertools",
    "json",
    "math",
    "operator",
    "pathlib",
    "re",
    "string",
    "types",
    "typing",
    "urllib.parse",
    "xml.parsers",
}
IMPURE_CALLS = {
    "input",
    "open",
    "print",
    "date.today",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
}
IMPURE_METHODS = {"exists", "is_dir", "is_file", "read_bytes", "read_text", "stat", "write_bytes"}


def pure_modules() -> dict[str, Path]:
    """Find the files of every pure module that there is, by dotted name."""
    words = {name: ROOT / (name.replace(".", "/") + ".py") for name in WORDS_AND_CONTRACT}
    decisions = {name: ROOT / (name.replace(".", "/") + ".py") for name in DECISIONS}
    protocols = {
        f"transports.{path.parent.name}.{path.stem}": path
        for path in sorted(ROOT.glob("transports/*/*.py"))
        if path.stem not in EDGES
    }
    pure = words | decisions | shared_protocols() | protocols
    return {name: path for name, path in pure.items() if path.is_file()}


def shared_protocols() -> dict[str, Path]:
    """Find the files that several destinations share."""
    return {
        f"transports.{path.stem}": path
        for path in sorted(ROOT.glob("transports/*.py"))
        if path.stem not in EDGES
    }


def imports(tree: ast.AST) -> Iterator[str]:
    """Name every module that is imported anywhere, inside functions too."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=0, names=names):
                # `from uploader import model` imports uploader.model.
                room = ROOT.joinpath(*module.split("."))
                inside = {path.stem for path in room.iterdir()} if room.is_dir() else set()
                for alias in names:
                    yield f"{module}.{alias.name}" if alias.name in inside else module
            case ast.ImportFrom():
                yield "(relative)"


def impure_calls(tree: ast.AST) -> Iterator[str]:
    """Name every call that reads a clock, a file or the terminal."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            method = node.func.attr if isinstance(node.func, ast.Attribute) else None
            if method in IMPURE_METHODS or ".".join(called.split(".")[-2:]) in IMPURE_CALLS:
                yield called


PURE = pure_modules()


def test_the_pure_rooms_are_where_this_test_looks() -> None:
    """A room that moved is not silently left unchecked."""
    assert {"uploader.model", "uploader.transport", "uploader.planner"} <= PURE.keys()
    assert {"transports.tiktok.protocol", "transports.tiktok.destination"} <= PURE.keys()


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_imports_only_what_is_listed(name: str) -> None:
    """The harmless part of the standard library, and what lies below or beside it."""
    package = name.rpartition(".")[0]
    below = set(WORDS_AND_CONTRACT)
    if package == "uploader":
        below |= set(DECISIONS)
    else:
        below |= shared_protocols().keys()
        below |= {other for other in PURE if other.startswith(f"{package}.")}

    below |= {door for room, door in DOORS if room == name}

    strangers = set(imports(ast.parse(PURE[name].read_text()))) - ALLOWED - below

    assert not strangers


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_reads_no_clock_and_no_file(name: str) -> None:
    """What `datetime` and `pathlib` could do as well is not done."""
    assert not list(impure_calls(ast.parse(PURE[name].read_text())))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import time", ["time"]),
        ("def f():\n    from os import path", ["os"]),
        ("from uploader import engine", ["uploader.engine"]),
        ("from uploader import Uploader", ["uploader"]),
        ("from transports.tiktok import operations", ["transports.tiktok.operations"]),
        ("from . import errors", ["(relative)"]),
        ("import urllib.request", ["urllib.request"]),
    ],
)
def test_the_reader_of_imports_sees_every_form(source: str, found: list[str]) -> None:
    """No way of writing an import escapes."""
    assert list(imports(ast.parse(source))) == found


@pytest.mark.parametrize("source", ["datetime.now(UTC)", "datetime.datetime.now()", "p.stat()"])
def test_the_reader_of_calls_sees_clock_and_files(source: str) -> None:
    """Both ways of importing `datetime`, and a path that touches the disk."""
    assert list(impure_calls(ast.parse(source)))
