"""The lock files pin and hash everything, name no index, and fit pyproject.toml."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / "requirements.lock"
DEVELOPMENT = ROOT / "requirements-dev.lock"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
locks = pytest.mark.parametrize("lock", [RUNTIME, DEVELOPMENT], ids=lambda path: path.name)


def entries(lock: Path) -> Iterator[tuple[Requirement, list[str]]]:
    """Read a lock as requirements with their hashes; a marker may give a name two entries."""
    text = re.sub(r"^\s*#.*$", "", lock.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(None, map(str.strip, text.splitlines())):
        requirement, *options = re.split(r"\s+(?=--)", line)
        yield Requirement(requirement), options


def pins(lock: Path) -> dict[str, set[str]]:
    """Collect the pinned versions of a lock by canonical name."""
    found: dict[str, set[str]] = {}
    for requirement, _ in entries(lock):
        (specifier,) = requirement.specifier
        assert specifier.operator == "=="
        found.setdefault(canonicalize_name(requirement.name), set()).add(specifier.version)
    return found


def group(name: str) -> list[str]:
    """Flatten a dependency group."""
    flat: list[str] = []
    for item in PROJECT["dependency-groups"][name]:
        flat += [item] if isinstance(item, str) else group(item["include-group"])
    return flat


@locks
def test_every_requirement_is_pinned_and_hashed(lock: Path) -> None:
    """pip's `--require-hashes` accepts the file, and nothing in it is of another kind."""
    read = list(entries(lock))

    assert len(read) > 10
    for requirement, options in read:
        assert [spec.operator for spec in requirement.specifier] == ["=="], requirement
        assert requirement.url is None
        assert options, requirement
        assert all(HASH.fullmatch(option) for option in options), requirement


@locks
def test_no_lock_says_where_to_download(lock: Path) -> None:
    """An index address would be somebody's machine, not a fact about the project."""
    text = lock.read_text()

    assert "://" not in text
    assert not re.search(r"--(index|extra-index|find-links|trusted-host)", text)


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        (RUNTIME, PROJECT["project"]["dependencies"]),
        (RUNTIME, group("build")),
        (RUNTIME, PROJECT["build-system"]["requires"]),
        (DEVELOPMENT, PROJECT["project"]["dependencies"]),
        (DEVELOPMENT, PROJECT["project"]["optional-dependencies"]["bench"]),
        (DEVELOPMENT, group("dev")),
    ],
)
def test_a_lock_satisfies_what_pyproject_asks_for(lock: Path, wanted: list[str]) -> None:
    """Whoever edits pyproject.toml runs `make lock`."""
    locked = pins(lock)

    for requirement in map(Requirement, wanted):
        versions = locked.get(canonicalize_name(requirement.name), set())
        assert versions, f"{requirement.name} is not in {lock.name}; run make lock"
        assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_both_locks_agree() -> None:
    """What is tested is what runs; and one environment can hold both."""
    runtime, development = pins(RUNTIME), pins(DEVELOPMENT)

    assert {name: development.get(name) for name in runtime} == runtime
