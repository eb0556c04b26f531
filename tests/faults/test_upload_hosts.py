"""Upload hosts that have been seen in issued URLs, through the whole engine."""

import ssl

import pytest
import trustme

from tests.faults.scene import Films
from tests.wire.tunnel import tunnel
from transports.tiktok import DirectPost
from transports.tiktok.sandbox import Sandbox, Switches
from uploader import AsyncUploader, Outcome


@pytest.mark.parametrize(
    "host",
    [
        "open-upload.tiktokapis.com",
        "open-upload-sg.tiktokapis.com",
        "open-upload.us.tiktokapis.com",
        "open-upload.tiktokapis.us",
        "OPEN-UPLOAD-VA.TikTokAPIs.com",
    ],
)
async def test_bytes_go_to_tiktoks_own_hosts(
    films: Films, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """They are reached by their names, with TLS that they vouch for, and by the URL as issued."""
    authority = trustme.CA()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host, "127.0.0.1").configure_cert(server_context)
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client_context)
    switches = Switches(upload_host=host, upload_path="/upload")
    with Sandbox(ssl_context=server_context, switches=switches) as sandbox:
        port = int(sandbox.base_url.rpartition(":")[2])
        async with tunnel(port) as proxy:
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv("no_proxy", "127.0.0.1")
            destination = DirectPost(
                privacy_level="SELF_ONLY",
                access_token=sandbox.access_token,
                base_url=sandbox.base_url,
            )
            async with AsyncUploader(ssl_context=client_context, metrics=False) as uploader:
                result = await uploader.upload(films.small, destination)

        assert result.outcome is Outcome.DONE
        sandbox.assert_posted_once(films.small)
        assert [head.line for head in proxy.heads] == [f"CONNECT {host}:443 HTTP/1.1"]
