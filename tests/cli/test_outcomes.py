"""What the shell, a person and a machine are told of how uploads ended."""

import json
from pathlib import Path

import pytest

from tests.cli.command import VARIABLE, publishing, run, video
from transports.tiktok.sandbox import Fault, Sandbox
from uploader.cli.exits import Exit, exit_of
from uploader.model import Outcome, UploadResult


def test_done(sandbox: Sandbox, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, a table on stdout, nothing on stderr, and the post is what was given."""
    ended = run(capsys, *publishing(sandbox, clip), "--title", "Hello #world")

    post = sandbox.assert_posted_once(clip, title="Hello #world")
    assert (ended.code, ended.err) == (0, "")
    assert "clip.mp4" in ended.out
    assert "done" in ended.out
    assert post.publish_id in ended.out
    assert post.privacy_level == "SELF_ONLY"


def test_done_as_json(sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """stdout holds one document: the results in the order of the files, and nothing else."""
    files = [video(tmp_path, name="a.mp4"), video(tmp_path, 30_000, name="b.mov")]

    ended = run(capsys, *publishing(sandbox, *files), "--json", "--account", "acme")

    document = json.loads(ended.out)
    assert (ended.code, ended.err) == (0, "")
    assert (document["exit_code"], document["errors"]) == (0, [])
    assert [result["file"] for result in document["results"]] == [str(file) for file in files]
    for result, file in zip(document["results"], files, strict=True):
        assert (result["outcome"], result["transport"]) == ("done", "tiktok")
        assert (result["account"], result["error"]) == ("acme", None)
        assert (result["size"], result["parts"]) == (file.stat().st_size, 1)
        assert result["fields"]["publish_id"] == sandbox.assert_posted_once(file).publish_id
        assert set(result) >= {"upload_id", "duration", "bytes_sent", "retries", "location"}


def test_failed(
    sandbox: Sandbox,
    clip: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A wrong token is exit code 1 and one line that names where a right one is put."""
    monkeypatch.setenv(VARIABLE, "act.wrong")

    ended = run(capsys, *publishing(sandbox, clip))

    assert (ended.code, ended.out) == (1, "")
    (line,) = ended.err.splitlines()
    assert line.startswith("error: clip.mp4: creator_info: TikTok answered 401 access_")
    assert f"put a valid access token into {VARIABLE} or --token-file" in line
    assert "act.wrong" not in line


def test_unknown(sandbox: Sandbox, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An opening whose answer is lost may have posted: exit code 3, and no second try."""
    sandbox.script(Fault("init", lose_answer=True))

    ended = run(capsys, *publishing(sandbox, clip))

    assert ended.code == 3
    assert len(ended.complaints) == 1
    assert "unknown" in ended.out
    assert len(sandbox.uploads) == 1


def test_not_finished(sandbox: Sandbox, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without waiting, confirmed bytes are exit code 4: the destination still works on it."""
    ended = run(capsys, *publishing(sandbox, clip), "--no-wait")

    assert ended.code == 4
    assert "every byte is confirmed, the destination still works on it" in ended.err
    assert sandbox.assert_posted_once(clip).publish_id in ended.err


def test_a_retry_is_told_and_counted(
    sandbox: Sandbox, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Warnings are shown by default; what the command says itself is not said twice."""
    sandbox.script(Fault("put", status=503))

    ended = run(capsys, *publishing(sandbox, clip), "--json")

    assert ended.code == 0
    assert json.loads(ended.out)["results"][0]["retries"] == 1
    assert "retry_scheduled" in ended.err
    sandbox.assert_posted_once(clip)


def test_the_most_serious_outcome_counts(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One failure among successes is a failure, and the others are posted."""
    files = [video(tmp_path, 30_000 + n, name=f"{n}.mp4") for n in range(3)]
    sandbox.script(Fault("init", nth=2, vendor_code="spam_risk_too_many_posts"))

    ended = run(capsys, *publishing(sandbox, *files), "--concurrency", "1")

    assert ended.code == 1
    assert len(ended.complaints) == 1
    assert "1.mp4" in ended.complaints[0]
    assert len(sandbox.posts) == 2


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([], Exit.DONE),
        (["done", "done"], Exit.DONE),
        (["done", "processing"], Exit.NOT_FINISHED),
        (["suspended"], Exit.NOT_FINISHED),
        (["processing", "failed", "done"], Exit.FAILED),
        (["failed", "unknown", "processing"], Exit.UNKNOWN),
        (["unknown", "cancelled", "failed"], Exit.UNKNOWN),
        (["suspended", "cancelled"], Exit.FAILED),
    ],
)
def test_the_order_of_seriousness(outcomes: list[str], code: Exit) -> None:
    """130, then 3, 1, 4, 0; as `--help` says."""
    results = [
        UploadResult(outcome=Outcome(name), upload_id="", transport="tiktok") for name in outcomes
    ]

    assert exit_of(results) is code


def test_the_token_may_be_in_a_file(
    sandbox: Sandbox,
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its first line wins over the environment; a file that others may read earns a warning."""
    monkeypatch.setenv(VARIABLE, "act.wrong")
    file = tmp_path / "token"
    file.write_text(f"{sandbox.access_token}\nanything else\n")
    file.chmod(0o600)

    quiet = run(capsys, *publishing(sandbox, clip), "--token-file", file)
    file.chmod(0o644)
    warned = run(capsys, *publishing(sandbox, clip), "--token-file", file, "--title", "again")

    assert (quiet.code, quiet.err, warned.code) == (0, "", 0)
    assert warned.err.strip() == f"warning: others may read {file}: chmod 600 {file}"


@pytest.mark.parametrize("content", ["", "\nact.second.line\n"])
def test_an_empty_token_file(
    content: str,
    sandbox: Sandbox,
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only the first line is read, and the environment does not step in."""
    file = tmp_path / "token"
    file.write_text(content)
    file.chmod(0o600)

    ended = run(capsys, *publishing(sandbox, clip), "--token-file", file)

    assert ended.code == 2
    assert f"there is no access token: {file} is empty" in ended.complaints[0]


def test_an_unexpected_error_shows_nothing_that_it_holds(
    clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its type is all that is said; --debug adds the traceback, without values of variables."""

    def fail(*_: object, **__: object) -> int:
        token = "act." + str(len("local"))
        raise RuntimeError(f"it was {len(token)} long")

    monkeypatch.setattr("uploader.cli.plan.plan", fail)

    ended = run(capsys, "plan", clip)
    debugged = run(capsys, "--debug", "plan", clip)

    assert (ended.code, debugged.code) == (1, 1)
    assert ended.err.startswith("error: the uploader itself failed: RuntimeError (run `uploader")
    assert "it was" not in ended.err
    assert "it was 5 long" in debugged.err
    assert "act.5" not in debugged.err
