"""Films, and TLS."""

import random
import ssl

import pytest

from tests.faults.case import SIZE, SMALL
from tests.faults.scene import Films, Tls


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Films:
    """Write what is uploaded; its bytes repeat nowhere."""
    place = tmp_path_factory.mktemp("films")
    found = Films(place / "long.mp4", place / "small.mp4")
    content = random.Random(2026).randbytes(SIZE)
    found.long.write_bytes(content)
    found.small.write_bytes(content[:SMALL])
    return found


@pytest.fixture(scope="session")
def tls(tls_server_context: ssl.SSLContext, tls_client_context: ssl.SSLContext) -> Tls:
    """Serve and trust one authority."""
    return Tls(tls_server_context, tls_client_context)
