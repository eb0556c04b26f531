"""A film of three parts, and TLS."""

import random
import ssl
from pathlib import Path

import pytest

from tests.faults.case import SIZE
from tests.faults.scene import Tls


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a file that is cut into three parts; its bytes repeat nowhere."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    path.write_bytes(random.Random(2026).randbytes(SIZE))
    return path


@pytest.fixture(scope="session")
def tls(tls_server_context: ssl.SSLContext, tls_client_context: ssl.SSLContext) -> Tls:
    """Serve and trust one authority."""
    return Tls(tls_server_context, tls_client_context)
