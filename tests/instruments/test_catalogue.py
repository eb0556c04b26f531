"""The documentation lists what the code has, and a command writes it."""

import subprocess
import sys
from pathlib import Path

import pytest

from uploader.instruments.catalogue import BEGIN, DOCUMENTS, END, kinds, main, written
from uploader.instruments.logs import event_name
from uploader.instruments.table import METRICS

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_documents_are_what_the_command_writes(name: str, tmp_path: Path) -> None:
    """A change of an event or a metric is not done before `uploader.instruments.catalogue` ran."""
    for document in DOCUMENTS:
        (tmp_path / document).write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    done = subprocess.run(
        [sys.executable, "-m", "uploader.instruments.catalogue", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    fresh = (tmp_path / name).read_text()
    assert fresh.startswith("before\n")
    assert fresh.endswith("after\n")
    assert "old" not in fresh.split(BEGIN)[0] + fresh.split(END)[1]
    in_docs = (DOCS / name).read_text()
    assert written(in_docs, DOCUMENTS[name]()) == in_docs
    assert fresh[len("before\n") : -len("after\n")].strip() in in_docs


def test_every_event_and_metric_is_listed() -> None:
    """By the names that logs and queries have for them, each field of an event too."""
    events, metrics = ((DOCS / name).read_text() for name in DOCUMENTS)
    assert len(kinds()) > 15
    for kind in kinds():
        assert f"\n## {event_name(kind)}\n" in events
    for metric in METRICS:
        assert metrics.count(f"| `{metric.full_name}` |") == 1
        assert metric.help in metrics


def test_every_event_says_what_it_is() -> None:
    """An operator who reads a line in a log finds a sentence about it."""
    for kind in kinds():
        own = kind.__dict__.get("__doc__") or ""
        assert own, kind
        assert not own.startswith(f"{kind.__name__}("), kind


def test_a_document_without_a_place_is_refused(tmp_path: Path) -> None:
    """A mark that somebody deleted is said, and nothing is overwritten."""
    (tmp_path / "events.md").write_text("no marks")
    with pytest.raises(ValueError, match="no place for the list"):
        main(tmp_path)
    assert (tmp_path / "events.md").read_text() == "no marks"
