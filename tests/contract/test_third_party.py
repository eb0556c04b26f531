"""A transport in a distribution of its own, installed beside the uploader, is one like ours."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "third_party"
SCRIPT = """
import json, sys
from parcel_server import ParcelServer
from parcel_uploader import Parcel
from uploader import Uploader, registry

film, journal = sys.argv[1:]
with ParcelServer(token="a-token-of-a-script") as server:
    def parcel(token):
        return Parcel(label="film", base_url=server.url, account="me", access_token=token)

    with Uploader(journal=journal, metrics=False) as uploader:
        result = uploader.upload(film, parcel(server.token))
        again = uploader.upload(film, parcel("rotated"))
    found = [each for each in server.parcels.values() if each.sealed]
print(json.dumps({
    "names": registry.names(),
    "module": type(registry.load("parcel")).__module__,
    "result": result.to_dict(),
    "again": again.to_dict(),
    "parts": [sorted(each.parts) for each in found],
    "content": [__import__("hashlib").sha256(each.content).hexdigest() for each in found],
}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Build and install the example into a folder of its own; return the environment for it."""
    folder = tmp_path_factory.mktemp("third-party")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    alone = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(folder)]
    subprocess.run([*pip, *alone, str(EXAMPLE)], check=True)
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{EXAMPLE / 'tests'}"}


def run(installed: dict[str, str], *arguments: str) -> str:
    """Run an interpreter that finds the example, elsewhere than in this checkout."""
    ran = subprocess.run(
        [sys.executable, *arguments],
        env=installed,
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]
    return ran.stdout


def test_it_is_found_and_uploads(installed: dict[str, str], tmp_path: Path) -> None:
    """Through its entry point; cut by its server; done once, whatever the token."""
    film = tmp_path / "film.bin"
    film.write_bytes(os.urandom(2_500_000))

    told: dict[str, Any] = json.loads(
        run(installed, "-c", SCRIPT, str(film), str(tmp_path / "journal.db"))
    )

    assert {"parcel", "tiktok"} <= set(told["names"])
    assert told["module"] == "parcel_uploader.destination"
    assert told["result"]["outcome"] == "done", told
    assert told["parts"] == [[0, 1, 2]]
    assert told["content"] == [hashlib.sha256(film.read_bytes()).hexdigest()]
    assert told["again"]["upload_id"] == told["result"]["upload_id"]


def test_the_command_lists_it(installed: dict[str, str]) -> None:
    """Nobody had to tell it."""
    said = run(installed, "-c", "from uploader.cli import main; main(['transports'])")

    assert "parcel" in said


@pytest.mark.parametrize(
    ("choice", "least"),
    [
        pytest.param("not killed and not told and not faults", 17, id="short"),
        pytest.param("", 26, id="whole", marks=[pytest.mark.slow, pytest.mark.timeout(180)]),
    ],
)
def test_it_keeps_the_contract(installed: dict[str, str], choice: str, least: int) -> None:
    """Its own thirty lines run the suite, the long forms aside."""
    options = ("-q", "-m", "not slow", "-k", choice, "-p", "no:cacheprovider", "tests")

    said = run(installed, "-m", "pytest", *options)

    passed = int(said.rpartition(" passed")[0].rpartition("\n")[2].split()[-1])
    assert passed >= least, said
