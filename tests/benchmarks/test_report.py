"""What is printed and written: verdicts, tables, JSON, sizes, the command's options."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.__main__ import main
from benchmarks.machine import describe
from benchmarks.probes import Memory, parse_status
from benchmarks.report import Limit, Report, Section, show
from benchmarks.runner import Run, child_environment
from benchmarks.sink_process import SinkReport
from benchmarks.suites import cells, memory
from benchmarks.suites.throughput import _limits
from benchmarks.ticker import tick
from benchmarks.units import parse_size, size_text
from benchmarks.workspace import NoSpaceError, Workspace


def a_run(contender: str, wall: float, **more: object) -> Run:
    """Return a run of 10**9 bytes."""
    sink = SinkReport(0.1, 0.1, [])
    idle = Memory(total=50 * 2**20)
    return Run(contender, 10**9, 0.0, wall, 0.2, 0.3, idle, sink, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [
        (Limit("a", 15.9, 16, "at most", "MiB"), "REACHED"),
        (Limit("a", 16.1, 16, "at most", "MiB"), "NOT REACHED"),
        (Limit("a", 0.85, 0.85, "at least"), "REACHED"),
        (Limit("a", 0.84, 0.85, "at least"), "NOT REACHED"),
        (Limit("a", None, 2, "at least"), "NOT MEASURED"),
    ],
)
def test_a_limit_says_whether_it_is_reached(limit: Limit, verdict: str) -> None:
    """The bound itself is reached; what was not run is neither."""
    assert limit.verdict == verdict


def test_the_ratio_is_the_median_of_pairs() -> None:
    """Two quiet pairs outvote one in which the machine was busy."""
    runs = {
        "ours": [a_run("ours", 1.0), a_run("ours", 1.0), a_run("ours", 9.0)],
        "mmap_sendall": [a_run("mmap_sendall", 0.9)] * 3,
    }
    limits = {limit.name: limit for limit in _limits("plain", runs)}
    against_limit = limits["plain: ours / mmap_sendall"]
    against_naive = limits["plain: ours / naive"]
    assert against_limit.value == pytest.approx(0.9)
    assert against_limit.verdict == "NOT REACHED"
    assert against_naive.verdict == "NOT MEASURED"


def test_memory_takes_the_worst_run() -> None:
    """A peak that happened once happened; a run that could not tell makes the figure unknown."""
    runs = [a_run("ours", 1.0, peak=(50 + over) * 2**20) for over in (4, 20, 5)]
    assert cells.worst_mib([run.over_idle for run in runs]) == 20
    assert cells.worst_mib([1, None]) is None
    assert cells.mib_text([None]) == "n/a"


def test_unfair_uploads_fail_the_fairness_line(workspace: Workspace) -> None:
    """Thirty-two uploads one after the other share a mean rate that the last does not reach."""
    uploads = [{"size": 100, "done_at": 1.0 + number} for number in range(32)]
    run = Run("ours", 3200, 0.0, 32.0, 0.1, 0.1, Memory(), SinkReport(0, 0, uploads))
    many = [workspace.file(1024)] * 32
    _, fair = memory._limits("plain", many, {"ours": [run]})
    assert fair.verdict == "NOT REACHED"


def test_a_report_is_shown_and_written_whole() -> None:
    """The table names question, rows, limits, notes and the missing; JSON keeps every sample."""
    section = Section("plain: 1 GB", ("contender", "GB/s"), (("ours", "1.00"),), {})
    section.runs["ours"] = [a_run("ours", 1.0, lateness=[0.001])]
    limit = Limit("ours / naive", 1.5, 2, "at least")
    report = Report("throughput", "how fast?", [section], [limit], ["a note"], {"curl": ["pycurl"]})
    screen = io.StringIO()
    show(report, describe(), Console(file=screen, width=150))
    for word in ("how fast?", "plain: 1 GB", "ours", "NOT REACHED", "a note", "curl", "pycurl"):
        assert word in screen.getvalue()
    told = json.loads(json.dumps(report.to_dict(describe())))
    assert told["limits"][0]["verdict"] == "NOT REACHED"
    assert told["sections"][0]["runs"]["ours"][0]["lateness"] == [0.001]
    assert told["machine"]["packages"]["aiohttp"]
    assert not report.reached


def test_the_kernels_books_are_read_in_bytes() -> None:
    """`/proc/<pid>/status` counts in 1024 bytes; what it does not tell is None."""
    text = "Name:\tpython\nVmHWM:\t  20 kB\nVmRSS:\t  10 kB\nRssAnon:\t   7 kB\nRssFile:\t   3 kB\n"
    assert parse_status(text) == Memory(total=10240, anon=7168, file=3072, peak=20480)


@pytest.mark.parametrize(
    ("text", "size"),
    [("64MB", 64_000_000), ("2GiB", 2**31), ("1.5 gib", 3 * 2**29), ("4000000000", 4 * 10**9)],
)
def test_sizes_are_read_as_written(text: str, size: int) -> None:
    """Decimal and binary units are told apart."""
    assert parse_size(text) == size
    assert parse_size(size_text(size).replace(",", "").replace(" B", "")) == size


@pytest.mark.parametrize("text", ["", "many", "0", "-5MB", "5 parsecs"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """One line that says how to write one."""
    with pytest.raises(ValueError, match="bytes"):
        parse_size(text)


@pytest.mark.parametrize(
    "options",
    [
        ["nothing"],
        ["memory", "--size", "big"],
        ["memory", "--pairs", "0"],
        ["memory", "--rivals", "nobody"],
        ["memory", "--tls", "--plain"],
    ],
)
def test_wrong_options_are_refused_before_anything_runs(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and the reason."""
    with pytest.raises(SystemExit) as left:
        main(options)
    assert left.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_a_file_that_does_not_fit_is_not_begun(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is asked first; only where it is allowed a sparse file takes the place."""
    monkeypatch.setattr("benchmarks.workspace._RESERVE", 2**62)
    with pytest.raises(NoSpaceError, match="do not fit"):
        workspace.file(5_000_000)
    sparse = workspace.file(5_000_000, may_be_sparse=True)
    assert sparse.sparse
    assert sparse.path.stat().st_size == 5_000_000


def test_a_workspace_leaves_nothing(tmp_path: Path) -> None:
    """Files and certificates are gone at the end; every MiB of a file is different."""
    with Workspace(tmp_path) as made:
        sample = made.file(3 * 2**20)
        content = sample.path.read_bytes()
        made.certificates()
    assert len({content[start : start + 2**20] for start in range(0, 3 * 2**20, 2**20)}) == 3
    assert list(tmp_path.iterdir()) == []


def test_children_see_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment would be measured instead of the contender."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    seen = child_environment("authority.pem")
    assert not {"HTTPS_PROXY", "http_proxy"} & set(seen)
    assert seen["SSL_CERT_FILE"] == "authority.pem"


async def test_a_stall_counts_as_every_tick_that_it_delayed() -> None:
    """Ticks keep their due times, so one long stall is not one late sample."""
    late = await tick(20, interval=-0.001)
    assert len(late) == 20
    assert late == sorted(late)
