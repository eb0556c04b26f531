"""Every contender delivers the same bytes, and one that cannot run is named."""

import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks.bench import Bench, Options, VerifyError
from benchmarks.cgroup import MemoryCgroup, NoCgroupError
from benchmarks.contender import ENTRIES, MMAP_SENDALL, Entry
from benchmarks.report import Report
from benchmarks.rivals.exchange import AnswerError, cut
from benchmarks.runner import RunFailedError, in_turn, run
from benchmarks.sink_process import SinkProcess
from benchmarks.units import MIB
from benchmarks.workspace import Sample, Workspace
from tests.benchmarks.conftest import CHUNK, SIZE, job

BLOCKING = ["naive", "mmap_sendall", "httpx", "aiohttp", "pycurl", "curl", "urllib3"]


@pytest.mark.parametrize("name", BLOCKING)
def test_bytes_arrive_equal(
    name: str, verifying_sink: SinkProcess, workspace: Workspace, sample: Sample
) -> None:
    """In order, in chunks, over plain HTTP and TLS."""
    verifying_sink.reset()
    with ENTRIES[name].make(job(name, verifying_sink, workspace, sample.path)) as contender:
        contender.upload(sample.path, "bench")
    upload = verifying_sink.report().uploads[0]
    assert upload["sha256"] == sample.sha256
    assert upload["parts"] == SIZE // CHUNK


@pytest.mark.parametrize("name", BLOCKING)
def test_several_at_once_arrive_equal(
    name: str, verifying_sink: SinkProcess, workspace: Workspace, sample: Sample
) -> None:
    """Each upload is its own at the sink."""
    verifying_sink.reset()
    paths = [sample.path] * 4
    with ENTRIES[name].make(job(name, verifying_sink, workspace, *paths)) as contender:
        contender.upload_many(paths)
    digests = [upload["sha256"] for upload in verifying_sink.report().uploads]
    assert digests == [sample.sha256] * 4


def test_sendfile_arrives_equal(workspace: Workspace, sample: Sample) -> None:
    """Over plain HTTP, and it refuses what the kernel cannot encrypt."""
    assert ENTRIES["sendfile"].modes == ("plain",)
    with SinkProcess(verify=True) as sink:
        asked = job("sendfile", sink, workspace, sample.path)
        with ENTRIES["sendfile"].make(asked) as contender:
            contender.upload(sample.path, "bench")
        assert sink.report().uploads[0]["sha256"] == sample.sha256
    secure = replace(asked, origin=asked.origin.replace("http:", "https:"))
    with pytest.raises(AnswerError, match="TLS"):
        ENTRIES["sendfile"].make(secure).upload(sample.path, "bench")


@pytest.mark.parametrize("name", ["ours", "ours_durable"])
def test_ours_arrives_equal(
    name: str, verifying_sink: SinkProcess, workspace: Workspace, sample: Sample
) -> None:
    """Through the public face, in a process of its own that trusts the authority."""
    asked = replace(
        job(name, verifying_sink, workspace, sample.path), chunk_size=64_000_000, ticks=10
    )
    result = run(asked, verifying_sink)
    assert result.sink.complete == result.repeats >= 1
    assert {upload["sha256"] for upload in result.sink.uploads} == {sample.sha256}


@pytest.mark.parametrize("size", [1, 64, 65, 127, 128, 300, 1_000])
def test_the_cut_is_tiktoks(size: int) -> None:
    """The count is the size divided downwards; the remainder joins the last chunk."""
    parts = cut(size, 64)
    assert len(parts) == max(1, size // 64)
    assert sum(length for _, length in parts) == size
    assert all(length == 64 for _, length in parts[:-1])


def test_a_run_in_a_fresh_process_reports_its_cost(
    dropping_sink: SinkProcess, workspace: Workspace, sample: Sample
) -> None:
    """Wall and processor time, bytes, the peak over idle and the sink's own share."""
    result = run(job("mmap_sendall", dropping_sink, workspace, sample.path), dropping_sink)
    assert result.size == SIZE
    assert 0 < result.wall < 30
    assert result.user + result.system >= 0
    assert result.sink.complete == 1
    assert len(result.finishing_rates) == 1
    told = result.to_dict()
    assert told["rate"] == result.rate
    assert told["idle"]["total"] == result.idle.total


def test_lateness_is_sampled_idle_and_under_load(
    dropping_sink: SinkProcess, workspace: Workspace, sample: Sample
) -> None:
    """The caller's loop is watched in the same process, before and while uploads run."""
    asked = replace(job("mmap_sendall", dropping_sink, workspace, sample.path), ticks=30)
    result = run(asked, dropping_sink)
    assert len(result.lateness) == len(result.idle_lateness) == 30
    assert result.sink.complete == result.repeats >= 1


def test_a_contender_that_fails_stops_the_suite(
    dropping_sink: SinkProcess, workspace: Workspace, capfd: pytest.CaptureFixture[str]
) -> None:
    """A child without a result is an error that names it, never a missing row."""
    with pytest.raises(RunFailedError, match="mmap_sendall"):
        run(job("mmap_sendall", dropping_sink, workspace, workspace.path / "no"), dropping_sink)
    assert "FileNotFoundError" in capfd.readouterr().err


def test_other_bytes_than_the_file_holds_stop_the_suite(
    workspace: Workspace, sample: Sample
) -> None:
    """Figures of a contender that corrupts are not printed."""
    bench = Bench(Options(), workspace, lambda _: None)
    with pytest.raises(VerifyError, match="other bytes"):
        bench.verify(MMAP_SENDALL, "plain", [replace(sample, sha256="0" * 64)])
    assert bench.verify(MMAP_SENDALL, "plain", [sample])


def test_a_missing_rival_is_named(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not installed is told with what it needs, and the others run."""
    absent = Entry("absent", "benchmarks.rivals.absent", ("no_such_package",), "is not there")
    monkeypatch.setitem(ENTRIES, "absent", absent)
    report = Report("memory", "?")
    entries = Bench(Options(), workspace, lambda _: None).entries(report, "absent", "mmap_sendall")
    assert report.missing["absent"] == ["no_such_package"]
    assert "mmap_sendall" in [entry.name for entry in entries]
    assert "absent" not in [entry.name for entry in entries]


def test_only_chosen_rivals_run(workspace: Workspace) -> None:
    """`--rivals` leaves the others out, and nobody is called missing for that."""
    report = Report("memory", "?")
    bench = Bench(Options(rivals=("mmap_sendall",)), workspace, lambda _: None)
    names = [entry.name for entry in bench.entries(report, "mmap_sendall", "naive")]
    assert "naive" not in names
    assert "naive" not in report.missing


def test_contenders_take_turns(
    dropping_sink: SinkProcess, workspace: Workspace, sample: Sample
) -> None:
    """A B, then B A: nobody always runs first."""
    order = []
    result = run(job("mmap_sendall", dropping_sink, workspace, sample.path), dropping_sink)

    def once(entry: Entry) -> object:
        order.append(entry.name)
        return result

    entries = [ENTRIES["mmap_sendall"], ENTRIES["naive"]]
    runs = in_turn(entries, 2, once)  # type: ignore[arg-type]
    assert order == ["mmap_sendall", "naive", "naive", "mmap_sendall"]
    assert [len(mine) for mine in runs.values()] == [2, 2]


def test_a_cgroup_confines_a_child_and_tells_of_its_end(
    workspace: Workspace, sample: Sample
) -> None:
    """Ours arrives whole in 128 MiB; who takes more is killed by the kernel, and that is told."""
    hog = [sys.executable, "-c", "bytearray(512 << 20).replace(b'0', b'1')"]
    try:
        with MemoryCgroup(128 * MIB) as cgroup, SinkProcess(verify=True) as sink:
            asked = replace(job("ours", sink, workspace, sample.path), chunk_size=64_000_000)
            result = run(asked, sink, inside=cgroup)
            assert result.sink.uploads[0]["sha256"] == sample.sha256
            assert not cgroup.killed
            assert 0 < (cgroup.peak or 0) <= 128 * MIB
            assert subprocess.run(cgroup.around(hog), check=False).returncode == -signal.SIGKILL
            assert cgroup.killed
    except NoCgroupError as error:
        pytest.skip(str(error))
