"""Importing is cheap: a Django process that never uploads pays next to nothing."""

import subprocess
import sys

import pytest

HEAVY = (
    "aiofiles",
    "aiohttp",
    "prometheus_client",
    "requests",
    "rich",
    "sqlite3",
    "structlog",
    "typer",
    "uvloop",
)


@pytest.mark.parametrize(
    "statement",
    [
        "import uploader",
        "from uploader import AsyncUploader, Outcome, Uploader, UploadResult",
        "from transports.tiktok import DirectPost, TikTokPublishError, TikTokPublishService",
        "import transports.tiktok.factory",
        "import transports.tiktok.sandbox.pytest_plugin",
    ],
)
def test_the_public_names_load_nothing_heavy(statement: str) -> None:
    """aiohttp, structlog, prometheus_client, typer and rich load when they are first needed."""
    # What an import of pytest loads by itself is not our doing.
    lend = "import pytest\n" if "pytest" in statement else ""
    program = (
        f"import sys\n{lend}before = set(sys.modules)\n{statement}\n"
        f"print(sorted({set(HEAVY)!r} & (set(sys.modules) - before)))"
    )

    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert (run.stdout.strip(), run.stderr) == ("[]", "")
