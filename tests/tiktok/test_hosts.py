"""A client's video and a token go to TikTok's hosts or to a named stand-in, and nowhere else."""

import pytest

from transports.tiktok import DirectPost
from transports.tiktok.hosts import API_URL, check_base_url, check_upload_url
from uploader.errors import ConfigurationError, ProtocolError
from uploader.secret import Secret

TOKEN = "?upload_id=7&upload_token=6f1f0d8e"
REAL = [
    f"https://{host}{path}{TOKEN}"
    for host in (
        "open-upload.tiktokapis.com",
        "upload.us.tiktokapis.com",
        "open-upload-sg.tiktokapis.com",
        "open-upload-i18n.tiktokapis.com",
        "open-upload-va.tiktokapis.com",
        "open-upload.us.tiktokapis.com",
        "open-upload.tiktokapis.us",
    )
    for path in ("/video/", "/upload/", "/upload")
]
FALSE = {
    "look-alike": "https://eviltiktokapis.com/video/",
    "look-alike below": "https://open-upload.eviltiktokapis.com/video/",
    "suffix": "https://tiktokapis.com.evil.com/video/",
    "suffix of .us": "https://open-upload.tiktokapis.us.evil.com/video/",
    "another TLD": "https://open-upload.tiktokapis.org/video/",
    "user": "https://user@open-upload.tiktokapis.com/video/",
    "user and password": "https://a:b@open-upload.tiktokapis.com/video/",
    "empty user": "https://@open-upload.tiktokapis.com/video/",
    "real host as user": "https://open-upload.tiktokapis.com@evil.com/video/",
    "real host as user, escaped": "https://open-upload.tiktokapis.com%40evil.com/video/",
    "port 444": "https://open-upload.tiktokapis.com:444/video/",
    "port 80": "https://open-upload.tiktokapis.com:80/video/",
    "port 0": "https://open-upload.tiktokapis.com:0/video/",
    "port of letters": "https://open-upload.tiktokapis.com:https/video/",
    "port too high": "https://open-upload.tiktokapis.com:70000/video/",
    "http": "http://open-upload.tiktokapis.com/video/",
    "http on 443": "http://open-upload.tiktokapis.com:443/video/",
    "ftp": "ftp://open-upload.tiktokapis.com/video/",
    "file": "file:///etc/passwd",
    "no scheme": "//open-upload.tiktokapis.com/video/",
    "nothing": "",
    "a word": "tiktokapis.com",
    "fragment": "https://open-upload.tiktokapis.com/video/#x",
    "empty fragment": "https://open-upload.tiktokapis.com/video/#",
    "fragment before the host": "https://evil.com#.tiktokapis.com/",
    "query before the host": "https://evil.com?.tiktokapis.com/",
    "backslash": "https://evil.com\\.tiktokapis.com/",
    "backslash and user": "https://evil.com\\@open-upload.tiktokapis.com/",
    "escaped slash": "https://evil.com%2f.tiktokapis.com/",
    "fullwidth slash": "https://evil.com\uff0f.tiktokapis.com/",
    "ideographic stop": "https://open-upload\u3002tiktokapis.com/",
    "cyrillic": "https://open-upload.tikt\u043ekapis.com/",
    "letters of other scripts": "https://\u043epen-upload.tiktokapis.com/",
    "new line": "https://open-upload.tiktokapis.com/video/\r\nHost: evil.com",
    "tab in the host": "https://open-upload.tik\ttokapis.com/",
    "space": "https://open-upload.tiktokapis.com/video/ x",
    "delete": "https://open-upload.tiktokapis.com/video/\x7f",
    "address": "https://127.0.0.1/video/",
    "address in brackets": "https://[::1].tiktokapis.com/",
    "broken brackets": "https://[tiktokapis.com/",
    "trailing dot": "https://open-upload.tiktokapis.com./video/",
    "leading dot only": "https://.tiktokapis.com/video/",
    "empty label": "https://a..tiktokapis.com/video/",
    "too long": f"https://open-upload.tiktokapis.com/video/?upload_token={'f' * 8192}",
}


@pytest.mark.parametrize("url", REAL)
def test_every_host_that_was_issued_is_taken(url: str) -> None:
    """Documented and seen upload URLs are used exactly as they were given."""
    secret = Secret(url)
    assert check_upload_url(secret, API_URL) is secret


@pytest.mark.parametrize(
    "url",
    [
        f"https://OPEN-UPLOAD.TIKTOKAPIS.COM/video/{TOKEN}",
        f"https://open-upload.tiktokapis.com:443/video/{TOKEN}",
        f"https://open-upload.tiktokapis.com/video/{TOKEN}&sig=a%2Fb%3D&u=a@b",
        f"https://open-upload.tiktokapis.com/video/{TOKEN}{'f' * 4096}",
    ],
    ids=["capitals", "port 443", "escapes", "long"],
)
def test_other_spellings_of_a_real_url_are_taken(url: str) -> None:
    """Letter case, the default port, escapes and length do not matter."""
    assert check_upload_url(Secret(url), API_URL).reveal() == url


@pytest.mark.parametrize("url", FALSE.values(), ids=FALSE)
@pytest.mark.parametrize("base_url", [API_URL, "http://127.0.0.1:8080"])
def test_every_other_url_is_refused(url: str, base_url: str) -> None:
    """Look-alikes, other ports and schemes, users, fragments and tricks get no byte."""
    with pytest.raises(ProtocolError) as caught:
        check_upload_url(Secret(url), base_url)
    assert not caught.value.ambiguous
    assert "token" not in caught.value.message.replace("tiktok", "")


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/upload/?t=1"),
        ("http://localhost:8080", "http://localhost:8080/upload/?t=1"),
        ("http://[::1]:8080", "http://[::1]:8080/upload/?t=1"),
        ("https://stand-in.example", "https://stand-in.example/video/"),
        ("https://stand-in.example", "https://stand-in.example:443/video/"),
        ("https://stand-in.example:443", "https://stand-in.example/video/"),
        ("https://stand-in.example:8443/prefix", "https://stand-in.example:8443/video/"),
        ("https://Stand-In.example", "https://stand-in.EXAMPLE/video/"),
        ("http://127.0.0.1:8080", "https://open-upload.tiktokapis.com/video/"),
    ],
)
def test_a_custom_base_urls_own_origin_is_taken(base_url: str, url: str) -> None:
    """Who names another API host may be sent back to the same scheme, host and port."""
    assert check_upload_url(Secret(url), check_base_url(base_url)).reveal() == url


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8081/video/"),
        ("http://127.0.0.1:8080", "https://127.0.0.1:8080/video/"),
        ("http://127.0.0.1:8080", "http://localhost:8080/video/"),
        ("http://127.0.0.1:8080", "http://user@127.0.0.1:8080/video/"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/video/#x"),
        ("https://stand-in.example", "http://stand-in.example/video/"),
        ("https://stand-in.example", "https://upload.stand-in.example/video/"),
        (API_URL, "http://127.0.0.1:8080/video/"),
        (API_URL, "https://stand-in.example/video/"),
    ],
)
def test_only_the_very_origin_of_a_custom_base_url_is_taken(base_url: str, url: str) -> None:
    """Another scheme, port or name beside the custom one is refused."""
    with pytest.raises(ProtocolError):
        check_upload_url(Secret(url), check_base_url(base_url))


@pytest.mark.parametrize(
    "base_url",
    [
        "https://open.tiktokapis.com", "https://stand-in.example:8443", "http://127.0.0.1:8080",
        "http://127.8.9.1:1", "http://localhost:8080", "http://[::1]:8080", "http://LOCALHOST:1",
    ],
)  # fmt: skip
def test_a_sane_base_url_is_taken_without_its_slash(base_url: str) -> None:
    """https anywhere and plain http on loopback are taken; a slash at the end is dropped."""
    assert check_base_url(f"{base_url}/") == check_base_url(base_url) == base_url


@pytest.mark.parametrize(
    "base_url",
    [
        "", "open.tiktokapis.com", "https://", "https:///path", "ftp://open.tiktokapis.com",
        "https://open.tiktokapis.com:port", "https://open.tiktokapis.com:70000",
        "https://open.tiktokapis.com:0", "https://[broken", "javascript:alert(1)",
        "http://open.tiktokapis.com", "http://127.0.0.1.evil.com", "http://2130706433",
        "http://localhost.evil.com", "http://0.0.0.0:8080", "http://10.0.0.1",
        "https://user@open.tiktokapis.com", "https://user:pass@open.tiktokapis.com",
        "https://open.tiktokapis.com?x=1", "https://open.tiktokapis.com#x",
        "https://open.tiktokapis.com\n", "https://open.tiktokapis.com /", "https://open.tik\ttok.com",
        " https://open.tiktokapis.com", "https://open.tiktokapis.com\\evil",
    ],
)  # fmt: skip
def test_a_malformed_base_url_is_refused_when_it_is_given(base_url: str) -> None:
    """A token never travels to a host that was mistyped, nor in clear to one that is not local."""
    with pytest.raises(ConfigurationError):
        DirectPost(privacy_level="SELF_ONLY", access_token="act.x", base_url=base_url)
