"""Whom the wire trusts."""

import ssl
from pathlib import Path

import pytest
import trustme

from tests.wire.peer import Connection, peer
from tests.wire.rig import body_of, post, put, wire
from uploader import NetworkError, Timeouts


async def polite(connection: Connection) -> None:
    """Answer every request."""
    while True:
        await connection.request()
        await connection.answer(201)


def serving(*names: str) -> tuple[trustme.CA, ssl.SSLContext]:
    """Return an authority and a server that it vouches for."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return authority, context


async def test_a_certificate_of_the_variable_is_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, film: Path
) -> None:
    """SSL_CERT_FILE names whom the system trusts."""
    authority, context = serving("127.0.0.1")
    bundle = tmp_path / "bundle.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    async with peer(polite, tls=context) as server, wire() as sender, body_of(film) as body:
        assert (await sender.send(put(server.url, body))).status == 201


@pytest.mark.parametrize("name", ["127.0.0.1", "somebody-else.example"])
async def test_another_certificate_is_refused_before_a_byte(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, film: Path, name: str
) -> None:
    """An unknown authority, or a known one that vouches for somebody else."""
    authority, context = serving(name)
    stranger = trustme.CA() if name == "127.0.0.1" else authority
    bundle = tmp_path / "bundle.pem"
    stranger.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    async with peer(polite, tls=context) as server, wire() as sender, body_of(film) as body:
        with pytest.raises(NetworkError, match="the certificate of https") as caught:
            await sender.send(put(server.url, body))
        assert not caught.value.ambiguous
        assert caught.value.__cause__ is caught.value.__context__ is None
        assert (server.heads, server.received, body.written) == ([], 0, 0)


async def test_a_given_context_wins(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tls_server_context: ssl.SSLContext,
    tls_client_context: ssl.SSLContext,
) -> None:
    """Whoever gives a context has decided."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    async with (
        peer(polite, tls=tls_server_context) as server,
        wire(ssl_context=tls_client_context) as sender,
    ):
        assert (await sender.send(post(server.url))).status == 201


async def test_a_peer_that_speaks_no_tls(tls_client_context: ssl.SSLContext) -> None:
    """Nothing of the request is seen by somebody who cannot be who he should."""
    hasty = Timeouts(connect=0.3)
    async with peer(polite) as server, wire(hasty, ssl_context=tls_client_context) as sender:
        with pytest.raises(NetworkError) as caught:
            await sender.send(post(server.url.replace("http:", "https:")))
        assert not caught.value.ambiguous
        assert server.heads == []
