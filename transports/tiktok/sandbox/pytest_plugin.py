"""The pytest fixture `tiktok_sandbox`, for the suites of users.

Rule: registered with every pytest run of whoever installs this package, so importing it costs
nothing: the sandbox and aiohttp are loaded by the first test that asks for the fixture.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from transports.tiktok.sandbox import Sandbox


@pytest.fixture
def tiktok_sandbox() -> "Iterator[Sandbox]":
    """Serve a fresh, strict TikTok for one test: `base_url`, `access_token`, `posts`, `script`."""
    from transports.tiktok.sandbox import Sandbox

    with Sandbox() as sandbox:
        yield sandbox
