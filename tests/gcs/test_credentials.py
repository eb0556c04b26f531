"""Tokens come from google-auth: fetched once, renewed when refused, never shown.

A token server of our own takes the place of oauth2.googleapis.com; the keys are made for the test.
"""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import google.auth.jwt
import google.oauth2.credentials
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.engine.clock import FakeClock
from tests.gcs.emulator import Emulator
from transports.gcs import GcsObject, GoogleCredentials
from uploader import Outcome, Uploader
from uploader.errors import AuthenticationError, ConfigurationError, NetworkError
from uploader.http import Request, Response
from uploader.secret import Secret

REQUEST = Request("create", "POST", "https://storage.googleapis.com/upload?name=a", auth="bearer")


class TokenServer(ThreadingHTTPServer):
    """Gives the tokens of a list, the last one again and again; `status` refuses."""

    daemon_threads = True

    def __init__(self, *tokens: str) -> None:
        super().__init__(("127.0.0.1", 0), TokenHandler)
        self.tokens = list(tokens)
        self.grants: list[dict[str, str]] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/token"


class TokenHandler(BaseHTTPRequestHandler):
    """Answers as Google's token endpoint does."""

    server: TokenServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.grants.append({name: found[0] for name, found in parse_qs(body).items()})
        tokens = self.server.tokens
        token = tokens.pop(0) if len(tokens) > 1 else tokens[0]
        good = {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
        bad = {"error": "invalid_grant", "error_description": f"{token} is refused"}
        content = json.dumps(good if self.server.status == 200 else bad).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@pytest.fixture
def server(emulator: Emulator) -> Iterator[TokenServer]:
    """Give the emulator's token."""
    with TokenServer(emulator.token) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def private_key() -> str:
    """Make a key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture
def key_file(tmp_path: Path, server: TokenServer, private_key: str) -> Path:
    """Write a service account's key file."""
    path = tmp_path / "key.json"
    content = {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "1",
        "private_key": private_key,
        "client_email": "up@p.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": server.url,
    }
    path.write_text(json.dumps(content))
    return path


def authorization(credentials: GoogleCredentials, transport: str = "gcs") -> str:
    """Return what a request is signed with."""
    header = credentials(transport, None).sign(REQUEST)["authorization"]
    assert isinstance(header, Secret)
    return header.reveal()


def test_a_service_account_uploads(
    emulator: Emulator, server: TokenServer, key_file: Path, tmp_path: Path
) -> None:
    """With the scope for objects; the token is fetched once for many requests."""
    film = tmp_path / "a.mp4"
    film.write_bytes(b"a" * 700_000)
    credentials = GoogleCredentials(service_account_file=key_file)
    with Uploader(metrics=False, clock=FakeClock()) as uploader:
        for name in ("credentials/1", "credentials/2"):
            place = GcsObject(
                emulator.bucket, name, credentials=credentials, endpoint_url=emulator.url
            )
            assert uploader.upload(film, place).outcome is Outcome.DONE
    (grant,) = server.grants
    assert grant["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims: Any = google.auth.jwt.decode(grant["assertion"], verify=False)
    assert claims["scope"] == "https://www.googleapis.com/auth/devstorage.read_write"


def test_the_application_default_credentials_are_found(
    emulator: Emulator, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where GOOGLE_APPLICATION_CREDENTIALS says."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", os.fspath(key_file))
    assert authorization(GoogleCredentials()) == f"Bearer {emulator.token}"


def test_any_credentials_of_google_auth_serve(server: TokenServer, emulator: Emulator) -> None:
    """A YouTube channel's owner, for one: a refresh token becomes an access token."""
    owner = google.oauth2.credentials.Credentials(
        None,
        refresh_token="1//refresh",
        token_uri=server.url,
        client_id="id",
        client_secret="client-secret",
    )
    assert authorization(GoogleCredentials(owner), "youtube") == f"Bearer {emulator.token}"
    assert server.grants[0]["refresh_token"] == "1//refresh"


def test_a_refused_token_is_fetched_anew(server: TokenServer, key_file: Path) -> None:
    """After a 401, and only then."""
    server.tokens = ["first", "second"]
    credentials = GoogleCredentials(service_account_file=key_file)
    signer = credentials("gcs", None)
    assert authorization(credentials) == authorization(credentials) == "Bearer first"
    signer.learn(Response(403))  # type: ignore[attr-defined]
    assert authorization(credentials) == "Bearer first"
    signer.learn(Response(401))  # type: ignore[attr-defined]
    assert authorization(credentials) == "Bearer second"


def test_a_child_process_starts_afresh(
    server: TokenServer, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that was held while forking stays locked there: it gets one of its own."""
    credentials = GoogleCredentials(service_account_file=key_file)
    authorization(credentials)
    credentials._lock.acquire()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert authorization(credentials)
    assert len(server.grants) == 2


def test_what_goes_wrong_is_told_without_a_secret(
    server: TokenServer, key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal, a server that cannot be reached, no credentials, a file that is none."""
    server.status = 400
    server.tokens = ["ya29.the-token-itself"]
    with pytest.raises(AuthenticationError) as refused:
        authorization(GoogleCredentials(service_account_file=key_file))
    assert "ya29" not in f"{refused.value} {refused.value.hints}"
    assert refused.value.__context__ is None  # whose text quotes the server
    gone = key_file.read_text().replace(server.url, "http://127.0.0.1:9/token")
    away = tmp_path / "away.json"
    away.write_text(gone)
    monkeypatch.setattr("google.auth._exponential_backoff.ExponentialBackoff.__next__", _no_more)
    with pytest.raises(NetworkError) as unreachable:
        authorization(GoogleCredentials(service_account_file=away))
    assert not unreachable.value.ambiguous
    for path in (tmp_path / "missing.json", film_of(tmp_path)):
        with pytest.raises(ConfigurationError):
            authorization(GoogleCredentials(service_account_file=path))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", os.fspath(film_of(tmp_path)))
    with pytest.raises(ConfigurationError, match="no Google credentials") as none:
        authorization(GoogleCredentials())
    assert none.value.hints


def _no_more(backoff: Any) -> int:
    """Try once, without a wait."""
    if getattr(backoff, "tried", False):
        raise StopIteration
    backoff.tried = True
    return 1


def film_of(folder: Path) -> Path:
    """Write a file that is no key."""
    path = folder / "film.json"
    path.write_text("moov")
    return path


def test_without_google_auth_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else of the destination needs it."""
    monkeypatch.setitem(__import__("sys").modules, "google.auth.exceptions", None)
    with pytest.raises(ConfigurationError) as caught:
        authorization(GoogleCredentials())
    assert caught.value.hints == ['pip install "mmap-uploader[gcs]"']


def test_two_sources_at_once_are_refused() -> None:
    """Which of them would count?"""
    owner = google.oauth2.credentials.Credentials("ya29.token")
    with pytest.raises(ConfigurationError):
        GoogleCredentials(owner, service_account_file="key.json")
    assert "ya29" not in repr(GoogleCredentials(owner))
