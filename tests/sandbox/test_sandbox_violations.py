"""What a client must never do fails its test."""

import http.client
from collections.abc import Callable

import pytest

from tests.sandbox.client import (
    CHUNK,
    CREATOR_INFO,
    INIT,
    STATUS,
    Client,
    order,
    pattern,
    put_head,
    read_answer,
)
from transports.tiktok.sandbox import Fault, Sandbox, SandboxViolation


def authorization_on_put(client: Client) -> None:
    """Send the access token where the URL is the credential."""
    client.put(client.init(), 0, 999, authorization=f"Bearer {client.token}")


def netrc_on_put(client: Client) -> None:
    """Send what a .netrc holds."""
    client.put(client.init(), 0, 999, authorization="Basic eDp5")


def netrc_on_api(client: Client) -> None:
    """Send what a .netrc holds instead of the token."""
    client.call(CREATOR_INFO, authorization="Basic eDp5")


def token_in_query(client: Client) -> None:
    """Put the token where logs will keep it."""
    client.call(f"{CREATOR_INFO}?x={client.token}")


def token_named_in_query(client: Client) -> None:
    """Put a token where logs will keep it."""
    client.call(f"{CREATOR_INFO}?access_token=act.else")


def put_after_201(client: Client) -> None:
    """Send once more what is over."""
    upload = client.init()
    assert client.put(upload, 0, 999).status == 201
    assert client.put(upload, 0, 999).status == 404


def chunked_put(client: Client) -> None:
    """Send a body of no declared length."""
    head = put_head(client.init(), 0, 999, content_length="", transfer_encoding="chunked")
    with client.raw(head, b"3e8\r\n" + pattern(0, 999) + b"\r\n0\r\n\r\n") as connection:
        assert read_answer(connection).startswith(b"HTTP/1.1 400")


def parallel_put(client: Client) -> None:
    """Send the second chunk while the first is on its way."""
    upload = client.init(2 * CHUNK, CHUNK)
    with client.raw(put_head(upload, 0, CHUNK - 1), b"x") as first:
        client.sandbox.wait_for(lambda: client.sandbox.uploads[0].chunks[0].received)
        assert client.put(upload, CHUNK, 2 * CHUNK - 1).status == 416
        first.sendall(b"x" * (CHUNK - 1))
        assert read_answer(first).startswith(b"HTTP/1.1 206")


def put_before_the_answer(client: Client) -> None:
    """Send the second chunk before the first was confirmed."""
    client.sandbox.script(Fault("put", stall_answer=True))
    upload = client.init(2 * CHUNK, CHUNK)
    with client.raw(put_head(upload, 0, CHUNK - 1), pattern(0, CHUNK - 1)):
        client.sandbox.wait_for(lambda: client.sandbox.uploads[0].received)
        assert client.put(upload, CHUNK, 2 * CHUNK - 1).status == 416


def followed_redirect(client: Client) -> None:
    """Go where a redirect of the API points."""
    client.sandbox.script(Fault("init", redirect=True))
    location = client.call(INIT, order()).headers["Location"]
    assert client.call(location.removeprefix(client.sandbox.base_url), order()).status == 404


def followed_redirect_of_put(client: Client) -> None:
    """Go where a redirect of the upload host points."""
    client.sandbox.script(Fault("put", redirect=True))
    upload = client.init()
    answer = client.put(upload, 0, 999)
    assert answer.status == 307
    target = answer.headers["Location"].removeprefix(client.sandbox.base_url)
    assert client.request("PUT", target, b"x").status == 404


def path_without_slash(client: Client) -> None:
    """Forget the slash at the end."""
    assert client.call(INIT.rstrip("/"), order()).status == 404


def altered_url(client: Client) -> None:
    """Use another upload token."""
    upload = client.init()
    url = upload.url.replace("upload_token=", "upload_token=x")
    assert client.put(upload._replace(url=url), 0, 999).status == 403


def extended_url(client: Client) -> None:
    """Add to the upload URL."""
    upload = client.init()
    assert client.put(upload._replace(url=upload.url + "&part=1"), 0, 999).status == 403


def rebuilt_host(client: Client) -> None:
    """Put another host into the upload URL."""
    assert client.put(client.init(), 0, 999, host="localhost").status == 201


def bytes_after_the_body(client: Client) -> None:
    """Send more than was declared."""
    upload = client.init()
    with client.raw(put_head(upload, 0, 999), pattern(0, 999) + b"\x00\x01 and more") as connection:
        assert b" 400 " in connection.recv(65536) + connection.recv(65536)


def misspelt_field(client: Client) -> None:
    """Send a field that nobody knows."""
    assert client.call(INIT, order(disable_comments=True)).code == "ok"


@pytest.mark.parametrize(
    ("misdeed", "text"),
    [
        (authorization_on_put, "sent an Authorization header"),
        (netrc_on_put, "Basic credentials"),
        (netrc_on_api, "Basic credentials"),
        (token_in_query, "access token in the query"),
        (token_named_in_query, "access token in the query"),
        (put_after_201, "came after the 201"),
        (chunked_put, "Transfer-Encoding"),
        (parallel_put, "while another PUT of this upload was unanswered"),
        (put_before_the_answer, "while another PUT of this upload was unanswered"),
        (followed_redirect, "POST followed a redirect"),
        (followed_redirect_of_put, "PUT followed a redirect"),
        (path_without_slash, "TikTok has no such path"),
        (altered_url, "changed the upload URL"),
        (extended_url, "changed the upload URL"),
        (rebuilt_host, "went to host localhost"),
        (bytes_after_the_body, "bytes that are not a request"),
        (misspelt_field, "post_info.disable_comments"),
    ],
)
def test_a_misdeed_fails_the_test(misdeed: Callable[[Client], None], text: str) -> None:
    """It is in `violations`, and leaving the strict sandbox raises it."""
    sandbox = Sandbox()

    def misbehave() -> None:
        with sandbox, Client(sandbox) as client:
            misdeed(client)
            with pytest.raises(SandboxViolation, match=text):
                sandbox.assert_no_violations()

    with pytest.raises(SandboxViolation, match=text) as caught:
        misbehave()
    assert sandbox.access_token not in str(caught.value)
    assert "upload_token" not in str(caught.value)
    assert "itself failed" not in str(caught.value)


def test_another_exception_is_not_hidden() -> None:
    """A violation does not replace what the test itself raised."""

    def fail() -> None:
        with Sandbox() as sandbox, Client(sandbox) as client:
            path_without_slash(client)
            raise KeyError("the test's own")

    with pytest.raises(KeyError, match="the test's own"):
        fail()


def test_a_lenient_sandbox_only_notes(lenient: Sandbox) -> None:
    """`strict=False` leaves the judgement to `assert_no_violations`."""
    with Client(lenient) as client:
        path_without_slash(client)
    assert len(lenient.violations) == 1


def test_giving_up_on_a_put_and_sending_it_again_is_allowed(client: Client) -> None:
    """A client that closed its connection may send the range again at once."""
    upload = client.init(2 * CHUNK, CHUNK)
    for _ in range(5):
        with client.raw(put_head(upload, 0, CHUNK - 1), b"x" * (CHUNK - 1)):
            pass
    assert client.put(upload, 0, CHUNK - 1).status == 206


@pytest.mark.parametrize(
    "fault",
    [
        Fault("put", stall_after=0),
        Fault("put", stall_after=1_000_000),
        Fault("put", slow=1000.0),
    ],
    ids=["stalled at once", "stalled later", "slow"],
)
def test_leaving_a_stalled_put_is_allowed(client: Client, fault: Fault) -> None:
    """Even when the client's FIN is stuck behind bytes that nobody reads."""
    client.sandbox.script(fault)
    upload = client.init(2 * CHUNK, CHUNK)
    with client.raw(put_head(upload, 0, CHUNK - 1)) as connection:
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.sendall(b"x" * 4 * CHUNK)
    assert client.put(upload, 0, CHUNK - 1).status == 206


def test_a_lost_201_makes_another_put_no_violation(client: Client) -> None:
    """The client cannot know that the upload is over: 404, no blame."""
    client.sandbox.script(Fault("put", lose_answer=True))
    upload = client.init()
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        client.put(upload, 0, 999)
    client.http.close()
    assert client.put(upload, 0, 999).status == 404
    assert client.call(STATUS, {"publish_id": upload.publish_id}).code == "ok"
