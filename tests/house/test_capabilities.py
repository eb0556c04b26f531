"""The uploader knows destinations by their capabilities: no name of one, and no class.

import-linter keeps imports out; this keeps out what needs none: a name that is compared, a literal,
an `isinstance`.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from uploader import registry

ROOT = Path(__file__).parents[2]
NAMING = {"cli", "testing"}
"""Edges: the command has examples and a default, a suite is for one transport at a time."""
FOREIGN = {"mount-s3"}
"""A file system's name, which is none of a transport's."""
ROOMS = ("destination", "factory", "limits", "protocol", "service")
ASKING = ("name", "__name__", "__qualname__", "__class__", "__module__")


def classes() -> set[str]:
    """Name every class by which a transport can be told."""
    rooms = (path for room in ROOMS for path in ROOT.glob(f"transports/*/{room}.py"))
    trees = (ast.parse(path.read_text()) for path in rooms)
    return {
        node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    }


def modules() -> dict[str, Path]:
    """Find every module that may know no transport."""
    paths = sorted((ROOT / "uploader").rglob("*.py"))
    inside = {str(path.relative_to(ROOT)): path for path in paths}
    return {name: path for name, path in inside.items() if Path(name).parts[1] not in NAMING}


def docstrings(tree: ast.AST) -> set[int]:
    """Return the identities of the constants that are prose."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def names_in(tree: ast.AST, names: re.Pattern[str], known: set[str]) -> Iterator[str]:
    """Tell of each literal and identifier that names a transport, or is a class of one."""
    prose = docstrings(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in prose and text not in FOREIGN:
                if names.search(text):
                    yield f"line {node.lineno}: the text {text!r}"
            case ast.Name(id=word) | ast.Attribute(attr=word) | ast.alias(name=word):
                if word in known or names.fullmatch(word):
                    yield f"line {node.lineno}: {word}"


def asked(tree: ast.AST) -> Iterator[str]:
    """Tell of each comparison of what a transport is called, and each look at its class."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, comparators=others):
                for side in (left, *others):
                    if names_a_transport(side):
                        yield f"line {node.lineno}: {ast.unparse(node)}"
            case ast.Match(subject=subject) if names_a_transport(subject):
                yield f"line {node.lineno}: match {ast.unparse(subject)}"
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[who, *_]):
                if is_transport(who):
                    yield f"line {node.lineno}: {ast.unparse(node)}"


def names_a_transport(node: ast.AST) -> bool:
    """Tell whether an expression is what a transport is called, or its class."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "type":
        return is_transport(node.args[0])
    return isinstance(node, ast.Attribute) and node.attr in ASKING and is_transport(node.value)


def is_transport(node: ast.AST) -> bool:
    """Tell whether an expression is called a transport, a destination or a factory."""
    word = ast.unparse(node).rpartition(".")[2].lstrip("_")
    return word in {"transport", "destination", "factory"}


NAMES = re.compile(rf"\b({'|'.join(registry.names())})\b", re.IGNORECASE)
CLASSES = classes()
MODULES = modules()


def test_the_modules_and_names_are_where_this_test_looks() -> None:
    """A folder that moved is not silently left unchecked."""
    assert {"uploader/planner.py", "uploader/engine/run.py", "uploader/retry.py"} <= MODULES.keys()
    assert any(name.startswith("uploader/journals/") for name in MODULES)
    assert {"DirectPost", "TikTokTransport"} <= CLASSES
    assert "tiktok" in registry.names()


@pytest.mark.parametrize("name", MODULES)
def test_no_transport_is_named(name: str) -> None:
    """Neither in a literal nor in an identifier; prose may give an example."""
    tree = ast.parse(MODULES[name].read_text())

    assert list(names_in(tree, NAMES, CLASSES)) == []


@pytest.mark.parametrize("name", [name for name in MODULES if "/wire/" not in name])
def test_no_transport_is_asked_what_it_is(name: str) -> None:
    """What it can do is in its capabilities and its members.

    In the wire a transport is asyncio's, and no destination's ever gets there.
    """
    assert list(asked(ast.parse(MODULES[name].read_text()))) == []


@pytest.mark.parametrize(
    "code",
    [
        "if transport.name == 'x': pass",
        "if 'x' != self._transport.name: pass",
        "match destination.transport.name:\n    case _: pass",
        "isinstance(transport, X)",
        "if run.transport.__class__ is X: pass",
        "if type(destination) is X: pass",
    ],
)
def test_this_test_can_see(code: str) -> None:
    """Each of these would be found."""
    assert list(asked(ast.parse(code)))


@pytest.mark.parametrize("code", ["x = 'TikTok'", "DirectPost()", "tiktok.post()", "f'{a} tiktok'"])
def test_this_test_can_read(code: str) -> None:
    """So would each of these."""
    assert list(names_in(ast.parse(code), NAMES, CLASSES))
