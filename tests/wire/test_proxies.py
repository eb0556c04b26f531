"""The proxy variables are obeyed, ~/.netrc is not."""

import base64
import ssl
from pathlib import Path

import pytest
import trustme

from tests.wire.peer import Connection, peer
from tests.wire.rig import body_of, post, put, wire
from tests.wire.tunnel import tunnel
from uploader import NetworkError, ProtocolError
from uploader.http import Request

UPLOAD_HOST = "open-upload.tiktokapis.us"


async def polite(connection: Connection) -> None:
    """Answer every request."""
    while True:
        await connection.request()
        await connection.answer(206)


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put credentials for every host where tools look for them."""
    path = tmp_path / ".netrc"
    path.write_text("default login somebody password unasked\n")
    path.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(path))


@pytest.mark.usefixtures("netrc")
async def test_netrc_is_not_read() -> None:
    """Its password is for somebody else, and would take the place of our credential."""
    async with peer(polite) as server, wire() as sender:
        await sender.send(post(server.url))
        assert "authorization" not in server.heads[0].headers


@pytest.mark.usefixtures("netrc")
async def test_plain_http_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch, film: Path) -> None:
    """It is given the whole URL, its own credentials, and no one else's."""
    async with peer(polite) as proxy:
        monkeypatch.setenv("http_proxy", f"http://user:pass@127.0.0.1:{proxy.port}")
        async with wire() as sender, body_of(film) as body:
            assert (await sender.send(put("http://upload.invalid/x?y=1", body))).status == 206
        head = proxy.heads[0]
        assert head.line == "PUT http://upload.invalid/x?y=1 HTTP/1.1"
        expected = base64.b64encode(b"user:pass").decode()
        assert head.headers["proxy-authorization"] == f"Basic {expected}"
        assert "authorization" not in head.headers


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY"])
@pytest.mark.usefixtures("netrc")
async def test_tls_goes_through_a_tunnel(
    monkeypatch: pytest.MonkeyPatch, film: Path, variable: str
) -> None:
    """The proxy learns the host and no more; the certificate is the host's own."""
    authority = trustme.CA()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(UPLOAD_HOST).configure_cert(server_context)
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client_context)
    async with peer(polite, tls=server_context) as server, tunnel(server.port) as proxy:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
        async with wire(ssl_context=client_context) as sender, body_of(film) as body:
            answer = await sender.send(put(f"https://{UPLOAD_HOST}/video/?t=secret", body))
        assert answer.status == 206
        assert [head.line for head in proxy.heads] == [f"CONNECT {UPLOAD_HOST}:443 HTTP/1.1"]
        assert server.heads[0].line == "PUT /video/?t=secret HTTP/1.1"
        assert "authorization" not in {*proxy.heads[0].headers, *server.heads[0].headers}


@pytest.mark.parametrize("exempt", ["127.0.0.1", "*"])
async def test_exempt_hosts_are_met_directly(monkeypatch: pytest.MonkeyPatch, exempt: str) -> None:
    """no_proxy counts."""
    async with peer(polite) as server, peer(polite) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", exempt)
        async with wire() as sender:
            await sender.send(post(server.url))
        assert (len(server.heads), len(proxy.heads)) == (1, 0)


async def test_a_proxy_without_a_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    """Written as curl takes it."""
    async with peer(polite) as proxy:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.port}")
        async with wire() as sender:
            assert (await sender.send(post("http://upload.invalid/x"))).status == 206


@pytest.mark.parametrize("value", ["socks5://127.0.0.1:1", "http://", "http://[::1", "ftp://x:1"])
async def test_a_proxy_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Nothing was sent, and the error says so: an init is not UNKNOWN for it."""
    monkeypatch.setenv("http_proxy", value)
    async with wire() as sender:
        with pytest.raises((NetworkError, ProtocolError)) as caught:
            await sender.send(post("http://upload.invalid/x", fresh=True))
    assert not caught.value.ambiguous


async def test_a_tunnel_that_is_refused(
    monkeypatch: pytest.MonkeyPatch, tls_client_context: ssl.SSLContext
) -> None:
    """407: nothing left this machine for the destination; the proxy's password is not shown."""

    async def refuse(connection: Connection) -> None:
        await connection.head()
        await connection.answer(407)

    async with peer(refuse) as proxy:
        monkeypatch.setenv("https_proxy", f"http://user:hush-hush@127.0.0.1:{proxy.port}")
        async with wire(ssl_context=tls_client_context) as sender:
            with pytest.raises(NetworkError) as caught:
                await sender.send(Request("init", "POST", f"https://{UPLOAD_HOST}/", content=b""))
    assert not caught.value.ambiguous
    assert "hush" not in repr(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None
