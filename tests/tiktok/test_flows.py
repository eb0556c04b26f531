"""TikTok's flows ask for exactly the documented requests, and read the answers to the letter.

They are driven by hand with a list of answers: no wire, no engine.
"""

import json
from typing import Any

import pytest

from tests.tiktok.answers import (
    PUBLISH_ID,
    UPLOAD_URL,
    direct_post,
    ok,
    refused,
    run,
    session,
    spec,
)
from uploader.errors import OffsetMismatchError, ProtocolError, RejectedError, SessionExpiredError
from uploader.http import Request, Response
from uploader.model import Plan, Processing
from uploader.secret import Secret

OPENED = {"publish_id": PUBLISH_ID, "upload_url": UPLOAD_URL}
ID = 7683616048247130126


class Length:
    """A body of which a flow may know the length; everything else about it fails."""

    def __init__(self, length: int) -> None:
        self._length = length
        self.digests: dict[str, bytes] = {}

    def __len__(self) -> int:
        return self._length


def described(request: Request) -> tuple[Any, ...]:
    """Return all of a request as plain values, its secrets revealed."""
    url = request.url.reveal() if isinstance(request.url, Secret) else request.url
    headers = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in request.headers.items()
    }
    return (request.operation, request.method, url, headers, request.content, request.auth,
            request.fresh, len(request.body) if request.body is not None else None)  # fmt: skip


def test_init_asks_for_what_the_reference_says() -> None:
    """One POST with post_info and the plan, signed, as JSON, on a fresh connection."""
    transport = direct_post(chunk_size=10_000_000)
    (request,), opened = run(transport.create(spec(50_000_123, transport)), [ok(OPENED)])
    operation, method, url, headers, content, auth, fresh, body = described(request)
    assert (operation, method, auth, fresh, body) == ("init", "POST", "bearer", True, None)
    assert url == "https://open.tiktokapis.com/v2/post/publish/video/init/"
    assert headers == {"Content-Type": "application/json; charset=UTF-8"}
    sent = json.loads(content)
    assert sent["source_info"] == {
        "source": "FILE_UPLOAD",
        "video_size": 50_000_123,
        "chunk_size": 8_333_353,
        "total_chunk_count": 6,
    }
    assert sent["post_info"]["privacy_level"] == "SELF_ONLY"
    assert sent["post_info"]["title"] == "Hi #there"
    assert opened.fields == {"publish_id": PUBLISH_ID, "content_type": "video/mp4"}
    assert opened.secrets["upload_url"] == Secret(UPLOAD_URL)


def test_a_session_is_json_beside_its_secrets() -> None:
    """What a session shows can be stored as it is; the URL is only among its secrets."""
    _, opened = run(direct_post().create(spec(100)), [ok(OPENED)])
    assert json.loads(json.dumps(dict(opened.fields))) == opened.fields
    assert UPLOAD_URL not in repr(opened)
    assert "upload_token" not in repr(opened)
    assert set(opened.secrets) == {"upload_url"}


def test_a_custom_base_url_is_called_and_may_be_uploaded_to() -> None:
    """Another API host gets the calls, and its own origin is taken for the upload."""
    transport = direct_post(base_url="http://127.0.0.1:8080/")
    url = "http://127.0.0.1:8080/upload/?upload_token=secret"
    answer = ok({"publish_id": PUBLISH_ID, "upload_url": url})
    (request,), opened = run(transport.create(spec(100)), [answer])
    assert request.url == "http://127.0.0.1:8080/v2/post/publish/video/init/"
    assert opened.secrets["upload_url"].reveal() == url


@pytest.mark.parametrize(
    "data",
    [
        {}, {"publish_id": PUBLISH_ID}, {"upload_url": UPLOAD_URL},
        {"publish_id": "", "upload_url": UPLOAD_URL}, {"publish_id": 7, "upload_url": UPLOAD_URL},
        {"publish_id": PUBLISH_ID, "upload_url": ""},
    ],
)  # fmt: skip
def test_an_init_that_lacks_something_may_have_posted(data: dict[str, Any]) -> None:
    """ "ok" without a publish_id or a URL is a protocol error that leaves the outcome open."""
    with pytest.raises(ProtocolError) as caught:
        run(direct_post().create(spec(100)), [ok(data)])
    assert caught.value.ambiguous
    assert "secret" not in caught.value.message


def test_an_init_with_a_strange_upload_host_is_refused() -> None:
    """A URL that leads elsewhere ends the upload before a byte; nothing was posted."""
    answer = ok({"publish_id": PUBLISH_ID, "upload_url": "https://eviltiktokapis.com/?t=secret"})
    with pytest.raises(ProtocolError, match="eviltiktokapis") as caught:
        run(direct_post().create(spec(100)), [answer])
    assert not caught.value.ambiguous
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("index", "status", "content_range", "length"),
    [
        (0, 206, "bytes 0-9999999/50000123", 10_000_000),
        (3, 206, "bytes 30000000-39999999/50000123", 10_000_000),
        (4, 201, "bytes 40000000-50000122/50000123", 10_000_123),
    ],
)
def test_a_chunk_is_put_as_the_guide_says(
    index: int, status: int, content_range: str, length: int
) -> None:
    """A PUT on the URL as it was given, with type and range, unsigned: the token is in the URL."""
    plan = Plan(50_000_123, 10_000_000, 5)
    flow = direct_post().put_part(session(), plan, plan.part(index), Length(length))
    (request,), receipt = run(flow, [Response(status)])
    assert described(request) == (
        "put",
        "PUT",
        UPLOAD_URL,
        {"Content-Type": "video/mp4", "Content-Range": content_range},
        None,
        None,
        False,
        length,
    )
    assert receipt.index == index


@pytest.mark.parametrize(
    ("index", "status", "kind"),
    [
        (0, 201, ProtocolError), (0, 200, ProtocolError), (1, 206, ProtocolError),
        (1, 200, ProtocolError), (1, 204, ProtocolError), (1, 403, SessionExpiredError),
        (0, 404, SessionExpiredError), (0, 416, OffsetMismatchError), (0, 400, RejectedError),
    ],
)  # fmt: skip
def test_no_other_answer_to_a_chunk_is_success(
    index: int, status: int, kind: type[Exception]
) -> None:
    """Only 206 before the last chunk, and only 201 after it."""
    plan = Plan(20_000_000, 10_000_000, 2)
    flow = direct_post().put_part(session(), plan, plan.part(index), Length(10_000_000))
    with pytest.raises(kind):
        run(flow, [Response(status)])


@pytest.mark.parametrize("told", [10_000_000, 9_999_999])
def test_both_readings_of_the_confirmed_range_are_taken(told: int) -> None:
    """A count and a last index are both what the guide may mean."""
    plan = Plan(20_000_000, 10_000_000, 2)
    flow = direct_post().put_part(session(), plan, plan.part(0), Length(10_000_000))
    headers = {"content-range": f"bytes 0-{told}/20000000"}
    assert run(flow, [Response(206, headers)])[1].index == 0


def test_complete_asks_for_nothing() -> None:
    """The last chunk completes the upload: there is no request to lose."""
    requests, completion = run(direct_post().complete(session(), {}))
    assert not requests
    assert completion.fields == {"publish_id": PUBLISH_ID}


def asked(data: dict[str, Any], *, publish_id: str | None = PUBLISH_ID) -> Any:
    """Return what `query` makes of a status."""
    return run(direct_post().query(session(publish_id)), [ok(data)])[1]


def test_the_status_is_asked_as_the_reference_says() -> None:
    """`poll` and `query` send the same signed POST with the publish_id."""
    answer = ok({"status": "PROCESSING_UPLOAD"})
    (polled,), _ = run(direct_post().poll(session()), [answer])
    (queried,), _ = run(direct_post().query(session()), [answer])
    assert described(polled) == described(queried)
    operation, method, url, _, content, auth, fresh, _ = described(polled)
    assert (operation, method, auth, fresh) == ("status", "POST", "bearer", False)
    assert url == "https://open.tiktokapis.com/v2/post/publish/status/fetch/"
    assert json.loads(content) == {"publish_id": PUBLISH_ID}


@pytest.mark.parametrize("stored", [0, 1, 10_000_000, 2**40])
def test_uploaded_bytes_are_a_count(stored: int) -> None:
    """What the server says it holds is taken as it is."""
    confirmed = asked({"status": "PROCESSING_UPLOAD", "uploaded_bytes": stored})
    assert confirmed.offset == stored
    assert confirmed.processing is None


@pytest.mark.parametrize("stored", [None, "5", 1.5, True, False, -1, [5]])
def test_uploaded_bytes_that_are_no_count_are_not_zero(stored: object) -> None:
    """A missing or odd number is "untold", never "nothing"."""
    assert asked({"status": "PROCESSING_UPLOAD", "uploaded_bytes": stored}).offset is None
    assert asked({"status": "PROCESSING_UPLOAD"}).offset is None


def test_without_a_publish_id_nobody_is_asked() -> None:
    """An upload URL of somebody else's init has no status: untold, without a request."""
    requests, confirmed = run(direct_post().query(session(None)))
    assert not requests
    assert confirmed.offset is None


@pytest.mark.parametrize("status", ["PUBLISH_COMPLETE", "SEND_TO_USER_INBOX", "FAILED"])
def test_a_query_also_tells_of_an_end(status: str) -> None:
    """A status that is final proves that every byte was there, or that none is wanted."""
    confirmed = asked({"status": status})
    assert confirmed.processing is not None
    assert confirmed.processing.is_terminal


def polled(data: dict[str, Any]) -> Processing:
    """Return what `poll` makes of a status."""
    return run(direct_post().poll(session()), [ok(data)])[1]


@pytest.mark.parametrize(
    "status",
    ["PROCESSING_UPLOAD", "PROCESSING_DOWNLOAD", "PROCESSING", "EXPIRED", "PUBLISH_SUCCESS", "",
     "publish_complete", "NEW"],
)  # fmt: skip
def test_what_is_not_final_is_neither_success_nor_failure(status: str) -> None:
    """Unknown words, and the known ones that go on, keep the polling going."""
    processing = polled({"status": status})
    assert not processing.is_terminal
    assert processing.state == status


@pytest.mark.parametrize("status", ["PUBLISH_COMPLETE", "SEND_TO_USER_INBOX"])
def test_success_is_final(status: str) -> None:
    """The two good ends complete the upload, with the publish_id among the facts."""
    processing = polled({"status": status})
    assert processing.completion is not None
    assert processing.completion.fields == {"publish_id": PUBLISH_ID, "status": status}


@pytest.mark.parametrize("name", ["publicaly_available_post_id", "publicly_available_post_id"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [([ID], [str(ID)]), ([str(ID)], [str(ID)]), (str(ID), [str(ID)]), (ID, [str(ID)]),
     ([ID, ID + 1], [str(ID), str(ID + 1)]), ([], None), (None, None), ("", None)],
)  # fmt: skip
def test_post_ids_keep_all_their_digits(name: str, value: object, expected: object) -> None:
    """Both spellings and every shape that was seen give texts of 19 digits."""
    assert polled({"status": "PUBLISH_COMPLETE", name: value}).fields.get("post_ids") == expected


@pytest.mark.parametrize("data", [{}, {"status": None}, {"status": 3}])
def test_a_status_answer_without_a_status_is_a_protocol_error(data: dict[str, Any]) -> None:
    """Nothing is concluded from an answer that says nothing."""
    with pytest.raises(ProtocolError):
        polled(data)


def test_the_same_answers_make_the_same_requests() -> None:
    """A flow is pure: run again, with another transport object, it asks and returns the same."""
    plan = Plan(20_000_000, 10_000_000, 2)

    def everything() -> list[Any]:
        transport = direct_post()
        opening, opened = run(transport.create(spec(20_000_000)), [ok(OPENED)])
        putting, receipt = run(
            transport.put_part(opened, plan, plan.part(1), Length(10_000_000)), [Response(201)]
        )
        status = ok({"status": "PROCESSING_UPLOAD", "uploaded_bytes": 3})
        asking, confirmed = run(transport.query(opened), [status])
        requests = [*opening, *putting, *asking]
        return [[described(request) for request in requests], opened, receipt, confirmed]

    assert everything() == everything()


def test_a_refused_init_raises_what_it_was_refused_with() -> None:
    """A flow lets the classified error through."""
    with pytest.raises(RejectedError, match="chunk size is invalid"):
        run(
            direct_post().create(spec(100)),
            [refused("invalid_params", "The chunk size is invalid")],
        )
