"""An emulator for all tests of this folder, and places in it."""

from collections.abc import Iterator

import pytest

from tests.gcs.emulator import Emulator


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Run the mended emulator."""
    with Emulator(tmp_path_factory.mktemp("gcs") / "emulator.log") as running:
        yield running
