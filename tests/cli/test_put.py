"""`uploader put`: object stores and upload servers, by their URLs."""

import itertools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import ACCOUNT, PRIVATE, Ended, run, video
from tests.cli.interrupting import run_until
from tests.cli.recorded import Capture, uploads
from tests.gcs.emulator import Emulator
from tests.s3.gate import REGION
from tests.s3.rig import OWNER, Bucket, S3Server
from tests.tus.stand_in import StandIn
from transports.s3.credentials import _Found
from transports.tiktok.sandbox import Sandbox
from uploader.cli.states import meaning
from uploader.journal import STREAM, Entry, State
from uploader.model import Plan
from uploader.testing.faulty_proxy import Answer, Fault, FaultyProxy, Stall

_NUMBERS = itertools.count()
PARTS = ("--set", "part_size=5242880", "--set", "max_lanes=1")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Serve S3."""
    with S3Server(tmp_path_factory.mktemp("s3") / "server.log") as server:
        yield server


@pytest.fixture
def bucket(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Make a bucket, whose owner's keys are where botocore looks for them."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    # What botocore found is kept for the process, and other tests share this one.
    monkeypatch.setattr("transports.s3.credentials._FOUND", _Found())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", OWNER.key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", OWNER.secret)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    return Bucket(server.client(), f"put-{next(_NUMBERS)}")


def put(capsys: Capture, url: str, *arguments: object) -> Ended:
    """Run `put` at another endpoint than AWS."""
    return run(capsys, "put", *arguments, "--set", f"endpoint_url={url}")


def test_an_object_is_put_once(
    server: S3Server, bucket: Bucket, tmp_path: Path, capsys: Capture
) -> None:
    """The result is a document, the journal knows it, and the same again sends nothing."""
    file = video(tmp_path, 11_000_001)
    to = f"s3://{bucket.name}/films/a clip.mp4"

    words = (capsys, server.url, file, to, "--set", "cache_control=no-store")

    done = put(*words, *PARTS, "--json")
    again = put(*words)
    anew = put(*words, "--again")

    assert (done.code, done.err, again.code, anew.code) == (0, "", 0, 0)
    (result,) = json.loads(done.out)["results"]
    assert (result["outcome"], result["parts"], result["bytes_sent"]) == ("done", 3, 11_000_001)
    assert result["location"] == f"{server.url}/{bucket.name}/films/a%20clip.mp4"
    assert "already posted as" in again.err
    assert bucket.read("films/a clip.mp4") == file.read_bytes()
    assert OWNER.secret not in done.out
    entries = uploads(capsys)
    assert [entry["state"] for entry in entries] == ["done", "done"]
    shown = run(capsys, "show", entries[0]["upload_id"])
    assert "to s3" in " ".join(shown.out.split())
    assert result["location"] in "".join(shown.out.split())


def test_into_a_folder_go_many_under_their_own_names(
    server: S3Server, bucket: Bucket, tmp_path: Path, capsys: Capture
) -> None:
    """A URL that ends in a slash takes several files, and one."""
    files = [video(tmp_path, 40_000 + n, f"{n}.mp4") for n in range(3)]

    ended = put(capsys, server.url, *files, f"s3://{bucket.name}/films/")

    assert (ended.code, ended.err) == (0, "")
    for file in files:
        assert bucket.read(f"films/{file.name}") == file.read_bytes()
    assert put(capsys, server.url, files[0], f"s3://{bucket.name}/").code == 0
    assert bucket.read("0.mp4") == files[0].read_bytes()


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_ctrl_c_suspends_and_a_resume_goes_on(
    server: S3Server,
    bucket: Bucket,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
) -> None:
    """Exit code 130, a line that says how to go on, and no part is sent twice."""
    file = video(tmp_path, 11_000_000)
    with FaultyProxy(server.url) as proxy:
        proxy.script(Fault(method="PUT", path="partNumber=2&", act=Stall(after=1000)))
        endpoint = ("--set", f"endpoint_url={proxy.base_url}")
        ended = run_until(
            lambda: proxy.wait_for(lambda: proxy.stalls), capsys, monkeypatch,
            "put", file, f"s3://{bucket.name}/clip.mp4", *PARTS, *endpoint, *options,
        )  # fmt: skip
        proxy.release()
        proxy.clear()
        (upload_id,) = re.findall(r"go on with: \S*uploader resume ([0-9a-f]{16})", ended.err)
        before = len(proxy.exchanges)

        resumed = run(capsys, "resume", upload_id[:8])

        parts = [each.target.reveal() for each in proxy.exchanges[before:] if each.method == "PUT"]
    assert (ended.code, resumed.code) == (130, 0)
    assert bool(ended.out) == bool(options)
    assert "clip.mp4: suspended, nothing was posted yet" in ended.err
    assert sorted(re.findall(r"partNumber=(\d)", " ".join(parts))) == ["2", "3"]
    assert bucket.read("clip.mp4") == file.read_bytes()
    assert bucket.open_uploads() == []


def test_what_interrupts_without_a_journal_is_dropped(
    server: S3Server,
    bucket: Bucket,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing could resume it: the bucket keeps no parts."""
    file = video(tmp_path, 11_000_000)
    with FaultyProxy(server.url) as proxy:
        proxy.script(Fault(method="PUT", path="partNumber=2&", act=Stall(after=1000)))
        ended = run_until(
            lambda: proxy.wait_for(lambda: proxy.stalls), capsys, monkeypatch,
            "put", file, f"s3://{bucket.name}/clip.mp4", *PARTS, "--no-journal",
            "--set", f"endpoint_url={proxy.base_url}",
        )  # fmt: skip
    assert ended.code == 130
    assert "clip.mp4: cancelled, nothing was posted" in ended.err
    assert bucket.open_uploads() == []


def test_a_time_limit_and_a_resume_of_all(
    server: S3Server, bucket: Bucket, tmp_path: Path, capsys: Capture
) -> None:
    """Exit code 4, then 0; uploads that sign themselves need no token and may be of any account."""
    for name in ("one", "two"):
        file = video(tmp_path, 11_000_000, f"{name}.mp4")
        limited = put(
            capsys, server.url, file, f"s3://{bucket.name}/", *PARTS, "--time-limit", "0",
            "--set", f"account={name}",
        )  # fmt: skip
        assert (limited.code, limited.complaints) == (4, [])

    resumed = run(capsys, "resume", "--all", "--json")

    assert resumed.code == 0
    assert [each["outcome"] for each in json.loads(resumed.out)["results"]] == ["done", "done"]
    assert bucket.read("two.mp4") == file.read_bytes()


def test_what_the_store_refuses_fails(
    server: S3Server, bucket: Bucket, clip: Path, capsys: Capture
) -> None:
    """Exit code 1, one line; of keys that are wrong it says so."""
    missing = put(capsys, server.url, clip, "s3://no-such-bucket/clip.mp4")
    denied = b"<Error><Code>InvalidAccessKeyId</Code><Message>unknown</Message></Error>"
    with FaultyProxy(server.url) as proxy:
        proxy.script(Fault(method="PUT", act=Answer(403, denied), times=9))
        refused = put(capsys, proxy.base_url, clip, f"s3://{bucket.name}/clip.mp4")

    assert (missing.code, refused.code) == (1, 1)
    assert len(missing.complaints) == len(refused.complaints) == 1
    assert "NoSuchBucket" in missing.err
    assert "InvalidAccessKeyId" in refused.err
    assert "check the credentials that it is signed with" in refused.err


def test_a_lost_answer_that_nobody_settles_is_unknown(
    server: S3Server, bucket: Bucket, tmp_path: Path, capsys: Capture
) -> None:
    """Exit code 3; `resolve` asks later."""
    file = video(tmp_path, 11_000_000)
    with FaultyProxy(server.url) as proxy:
        proxy.script(
            Fault(method="POST", path=r"\?uploadId=", act=Answer(500, forward=True)),
            Fault(method="GET", act=Answer(403), times=9),
            Fault(method="HEAD", act=Answer(403), times=9),
        )
        ended = put(capsys, proxy.base_url, file, f"s3://{bucket.name}/clip.mp4", *PARTS)
        proxy.clear()
        (entry,) = uploads(capsys)
        resolved = run(capsys, "resolve", entry["upload_id"])

    assert (ended.code, entry["state"], resolved.code) == (3, "unknown", 0), resolved.err
    assert bucket.read("clip.mp4") == file.read_bytes()


def test_an_upload_server_names_its_files_itself(tmp_path: Path, capsys: Capture) -> None:
    """Its one URL, which may end in a slash, takes many; a token file signs."""
    files = [video(tmp_path, 40_000 + n, f"{n}.mp4") for n in range(2)]
    token = tmp_path / "token"
    token.write_text("secret-of-the-server\n")
    token.chmod(0o600)
    with StandIn() as tus:
        url = tus.url.replace("http://", "tus+http://")
        ended = run(capsys, "put", *files, url, "--set", "metadata=set=films")
        signed = run(capsys, "put", files[0], url, "--again", "--token-file", token)
        names = {upload.metadata["filename"] for upload in tus.finished()}
        sent = [headers.get("Authorization") for headers in tus.headers]

    assert (ended.code, ended.err, signed.code) == (0, "", 0)
    assert names == {"0.mp4", "1.mp4"}
    assert {upload.metadata.get("set") for upload in tus.finished()} == {"films", None}
    assert "Bearer secret-of-the-server" in sent
    assert "secret-of-the-server" not in signed.out + signed.err


def test_cloud_storage(tmp_path: Path, capsys: Capture) -> None:
    """`gs://`, here at an emulator that wants no credential."""
    file = video(tmp_path, 600_000)
    with Emulator(tmp_path / "gcs.log") as gcs:
        token = tmp_path / "token"
        token.write_text(gcs.token)
        token.chmod(0o600)
        to = f"gs://{gcs.bucket}/films/"
        ended = put(capsys, gcs.url, file, to, "--token-file", token)
        (held,) = gcs.held("films/clip.mp4")

    assert (ended.code, ended.err) == (0, "")
    assert held.size == 600_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{clip}", "somewhere"], "the last word is no URL (write FILE URL; URLs begin with gs://"),
        (["{clip}", "https://secret@host/x"], "no transport takes https:// URLs"),
        (["{clip}", "{clip}", "s3://bucket/key"], "one URL names one object, not 2"),
        (["{clip}", "{other}", "s3://bucket/"], "would have the same name there"),
        (["{clip}", "s3://bucket"], "the URL names no bucket and key"),
        (["{clip}", "s3://bucket/k", "--set", "key=k2"], "the URL tells key already"),
        (["{clip}", "s3://bucket/k", "--set", "title=Hi"], "s3 has no --set title=..."),
        (["{clip}", "s3://bucket/k", "--set", "part_size"], "is no option (write --set NAME=VAL"),
        (["{clip}", "s3://bucket/k", "--set", "part_size=1"], "a part size of 1 bytes is outside"),
        (["missing.mp4", "s3://bucket/k"], "missing.mp4 does not exist"),
        (["{clip}", "s3://bucket/k", "--token-file", "{clip}"], ""),
        (["{clip}", "{other}", "s3://bucket/", "--key", "one"], "one key cannot name 2 uploads"),
    ],
)
def test_what_cannot_be_is_refused(
    words: list[str], said: str, clip: Path, tmp_path: Path, capsys: Capture
) -> None:
    """One line, exit code 2, and nothing is recorded; a URL's secrets are not repeated."""
    (tmp_path / "other").mkdir()
    other = video(tmp_path / "other")

    ended = run(capsys, "put", *(word.format(clip=clip, other=other) for word in words))

    assert ended.code == 2
    assert len(ended.complaints) == 1
    assert said in ended.complaints[0]
    assert "secret" not in ended.err
    assert uploads(capsys) == []


def test_a_token_file_serves_one_destination(
    sandbox: Sandbox, tmp_path: Path, capsys: Capture
) -> None:
    """An upload that signs itself does without, and never gets another's token."""
    token = tmp_path / "token"
    token.write_text(sandbox.access_token)
    token.chmod(0o600)
    file = video(tmp_path)
    to = ("--base-url", sandbox.base_url, *PRIVATE, *ACCOUNT)
    assert run(capsys, "enqueue", file, *to).code == 0
    with StandIn() as tus:
        url = tus.url.replace("http://", "tus+http://")
        assert run(capsys, "put", file, url, "--time-limit", "0").code == 4
        resumed = run(capsys, "resume", "--all", "--token-file", token)
        sent = [headers.get("Authorization") for headers in tus.headers]

    assert resumed.code == 0, resumed.err
    assert set(sent) == {None}
    sandbox.assert_posted_once(file)


def test_the_help_teaches_it(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples of each kind of URL, from the first page on."""
    monkeypatch.setenv("COLUMNS", "140")
    first, own = run(capsys, "--help").out, run(capsys, "put", "--help").out

    assert "uploader put backup.tar s3://bucket/nightly/" in first
    for scheme in ("s3://", "gs://", "tus+https://"):
        assert scheme in own
    document: dict[str, Any] = json.loads(run(capsys, "transports", "--json").out)
    schemes = {each["name"]: each["schemes"] for each in document["transports"]}
    assert schemes["s3"] == ["s3"]
    assert schemes["tiktok"] == []


@pytest.mark.parametrize("state", [State.SENDING, State.COMMITTING])
def test_what_is_left_of_a_stream_is_not_said_to_go_on(state: State) -> None:
    """`show` says what a resume does with it: it ends it."""
    entry = Entry(
        upload_id="1", identity="1", transport="s3", account=None, plan=Plan(9, 5, 2),
        fingerprint=STREAM + "1", state=state,
    )  # fmt: skip

    means = meaning(entry, None, 0.0)

    assert "Nobody can go on with it" in means.says
    assert [verb for _, verb in means.steps] == ["resume"]
