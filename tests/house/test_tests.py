"""Rules for the tests themselves."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def sleeps(tree: ast.AST) -> Iterator[str]:
    """Name every call of a sleep, but for `asyncio.sleep(0)`, which only lets others run."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("sleep"):
            call = ast.unparse(node)
            if call != "asyncio.sleep(0)":
                yield f"line {node.lineno}: {call}"


@pytest.mark.parametrize(
    "path", sorted(TESTS.rglob("*.py")), ids=lambda p: str(p.relative_to(TESTS))
)
def test_no_test_sleeps(path: Path) -> None:
    """A test waits for an event or moves the clock; time that passes proves nothing."""
    assert not list(sleeps(ast.parse(path.read_text())))
