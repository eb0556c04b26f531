"""The README's table of destinations is what the transports say of themselves."""

import re
import tomllib
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest

from uploader import registry
from uploader.cli import extras
from uploader.cli.abilities import facts, found, size
from uploader.cli.tables import BEGIN, END, ours, renewed, table
from uploader.errors import ConfigurationError
from uploader.model import KIB, MIB

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


def test_the_table_is_up_to_date() -> None:
    """When this fails: python -m uploader.cli.tables README.md."""
    text = README.read_text()

    assert renewed(text) == text


def test_it_has_every_destination_of_ours() -> None:
    """A column each, with the numbers of its capabilities."""
    between = README.read_text().partition(BEGIN)[2].partition(END)[0]
    head = between.strip().splitlines()[0]

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = sorted(project["entry-points"]["uploader.transports"])
    assert re.findall(r"[a-z0-9-]+", head) == declared
    assert [each.name for each in ours()] == declared


def test_a_stale_table_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that changed shows up as another text."""
    s3 = registry.load("s3")
    other = replace(s3.capabilities, part_size=24 * MIB)
    monkeypatch.setattr(type(s3), "capabilities", other)

    assert renewed(README.read_text()) != README.read_text()
    assert "24 MiB" in table(ours())


def test_a_document_without_markers_is_refused() -> None:
    """Nothing is appended somewhere."""
    with pytest.raises(ConfigurationError, match="no markers"):
        renewed("# A document\n")


def test_all_transports_have_the_same_facts() -> None:
    """None of them is empty, and only a URL's transport has schemes."""
    abilities, broken = found()
    columns = [facts(each) for each in abilities]

    assert broken == []
    assert all(list(column) == list(columns[0]) for column in columns)
    assert all(text for column in columns for text in column.values())


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "1 byte"),
        (999, "999 bytes"),
        (256 * KIB, "256 KiB"),
        (5 * MIB, "5 MiB"),
        (64_000_000, "64 MB"),
        (4_000_000_000, "4 GB"),
        (5 * MIB * MIB, "5 TiB"),
        (50_000 * KIB * MIB, "48.8 TiB"),
        (255_999_868_928, "238.4 GiB"),
        (2**63 - 1, "no limit"),
    ],
)
def test_sizes_in_words(count: int, said: str) -> None:
    """Exact in the unit that divides it, else about."""
    assert size(count) == said


def test_what_an_extra_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the metadata of whoever offers the transport; nothing is imported."""
    whole = extras.offers()
    assert (whole["s3"].requirement, whole["s3"].installed) == ("mmap-uploader[s3]", True)
    assert (whole["tus"].extra, whole["tus"].installed) == ("", True)

    def lacks(name: str) -> Any:
        if name == "requests":  # what google-auth's own extra asks for
            raise PackageNotFoundError(name)
        return distribution(name)

    monkeypatch.setattr("uploader.cli.extras.distribution", lacks)
    found_now = extras.offers()
    assert not found_now["youtube"].installed
    assert found_now["s3"].installed
