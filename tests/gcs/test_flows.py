"""Google's resumable protocol is spoken to the letter, and its answers are believed to the letter.

The flows are driven by hand; YouTube's share them.
"""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.gcs.flows import (
    PLAN,
    SIZE,
    SPEC,
    STORED,
    URI,
    Content,
    answer,
    refused,
    run,
    session,
    transport,
)
from uploader.errors import (
    AuthenticationError,
    DigestMismatchError,
    OffsetMismatchError,
    ProtocolError,
    RateLimitedError,
    Recovery,
    RejectedError,
    ServerError,
    SessionExpiredError,
    TransportError,
)
from uploader.http import Response
from uploader.model import Completion, Receipt
from uploader.secret import Secret


def put(index: int, given: Response, **fields: Any) -> Receipt:
    """Send one part, and return the receipt for this answer."""
    part = PLAN.part(index)
    flow = transport(**fields).put_part(session(), PLAN, part, Content(part.length))
    return run(flow, [given])[1]


def test_a_session_is_opened_as_documented() -> None:
    """POST with the name in the query, the metadata in the body, size and type announced."""
    place = transport(
        metadata={"shot": "1"},
        storage_class="NEARLINE",
        predefined_acl="publicRead",
        if_generation_match=0,
        crc32c="AAAAAA==",
    )
    (request,), opened = run(place.create(SPEC), [answer(200, location=URI)])
    assert isinstance(request.url, str)
    parts = urlsplit(request.url)
    assert (request.method, parts.path) == ("POST", "/upload/storage/v1/b/films/o")
    assert parse_qs(parts.query) == {
        "uploadType": ["resumable"],
        "name": ["clips/a b.mp4"],
        "ifGenerationMatch": ["0"],
        "predefinedAcl": ["publicRead"],
    }
    assert dict(request.headers) == {
        "Content-Type": "application/json; charset=UTF-8",
        "X-Upload-Content-Type": "video/mp4",
        "X-Upload-Content-Length": "600000",
    }
    assert request.auth == "bearer"
    assert json.loads(request.content or b"") == {
        "contentType": "video/mp4",
        "crc32c": "AAAAAA==",
        "metadata": {"shot": "1"},
        "storageClass": "NEARLINE",
    }
    assert opened.secrets["session_uri"] == Secret(URI)
    assert "upload_id" not in f"{opened!r} {json.dumps(dict(opened.fields))}"


@pytest.mark.parametrize(
    "location",
    [
        "",
        "https://storage.evil.example/upload?upload_id=x",
        "https://googleapis.com.evil.example/?upload_id=x",
        "http://storage.googleapis.com/upload?upload_id=x",
        "https://user@storage.googleapis.com/?upload_id=x",
        "https://storage.googleapis.com:444/?upload_id=x",
        "https://storage.googleapis.com/?upload_id=x\r\nX: y",
        "https://[/?upload_id=x",
    ],
)
def test_a_session_elsewhere_is_refused(location: str) -> None:
    """No byte goes to a host that is not Google's, nor in clear; the URI is not repeated."""
    with pytest.raises(ProtocolError) as caught:
        run(transport().create(SPEC), [answer(200, location=location)])
    assert not caught.value.ambiguous
    assert "upload_id" not in str(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "location"),
    [
        ("https://storage.googleapis.com", "https://storage-x.p.googleapis.com/a?upload_id=x"),
        ("http://127.0.0.1:9023", "http://127.0.0.1:9023/upload?upload_id=x"),
    ],
)
def test_a_session_of_googles_or_of_the_endpoint_is_used_as_given(
    endpoint: str, location: str
) -> None:
    """Another host of Google's, or the one that was asked."""
    place = transport(endpoint_url=endpoint)
    assert run(place.create(SPEC), [answer(200, location=location)])[1].secrets[
        "session_uri"
    ] == Secret(location)


def test_a_chunk_says_its_range_and_is_not_signed() -> None:
    """PUT to the session URI, which is the credential; 308 with the last byte is a receipt."""
    part = PLAN.part(1)
    flow = transport().put_part(session(), PLAN, part, Content(part.length))
    (request,), receipt = run(flow, [answer(308, range="bytes=0-524287")])
    assert (request.method, request.url, request.auth) == ("PUT", Secret(URI), None)
    assert request.headers["Content-Range"] == "bytes 262144-524287/600000"
    assert (receipt.index, receipt.length) == (1, 262_144)


@pytest.mark.parametrize(
    ("index", "given", "offset"),
    [
        (0, answer(308), 0),
        (0, answer(308, range="bytes=0-99"), 100),
        (1, answer(308, range="bytes=0-262143"), 262_144),
        (1, answer(308), 0),
        (2, answer(308, range="bytes=0-524287"), 524_288),
        (2, answer(308), 0),
    ],
)
def test_less_than_was_sent_is_told_with_its_offset(
    index: int, given: Response, offset: int
) -> None:
    """No Range is no byte; a Range within the chunk is where to go on."""
    with pytest.raises(OffsetMismatchError) as caught:
        put(index, given)
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    ("index", "given"),
    [
        (0, answer(308, range="bytes=0-262144")),
        (0, answer(308, range="bytes=5-262143")),
        (0, answer(308, range="bytes 0-262143")),
        (0, answer(308, range="nonsense")),
        (0, answer(200, STORED)),
        (1, answer(201, STORED)),
        (0, answer(204)),
        (2, Response(200, {}, b"")),
        (2, Response(200, {}, b"<html>")),
        (2, Response(200, {}, b"[]")),
    ],
)
def test_no_other_answer_to_a_chunk_is_success(index: int, given: Response) -> None:
    """More than was sent, an early end, or no object: the outcome stays open."""
    with pytest.raises(ProtocolError) as caught:
        put(index, given)
    assert caught.value.ambiguous


def test_a_308_that_holds_every_byte_is_asked_about() -> None:
    """All is there and nothing is said of an object: neither stored nor failed, but to be asked."""
    with pytest.raises(ServerError) as caught:
        put(2, answer(308, range="bytes=0-599999"))
    assert caught.value.recovery is Recovery.RESYNC
    with pytest.raises(ServerError) as caught:
        run(transport().query(session()), [answer(308, range="bytes=0-599999")])
    assert caught.value.recovery is Recovery.RETRY


@pytest.mark.parametrize("status", [200, 201])
def test_the_last_chunk_makes_the_object(status: int) -> None:
    """Its answer is the object, of which the facts are kept."""
    receipt = put(2, answer(status, STORED))
    wanted = {"generation": "7", "size": "600000", "crc32c": "AAAAAA=="}
    assert receipt.fields["object"] == wanted
    requests, completion = run(transport().complete(session(), {2: receipt}))
    assert not requests
    assert completion == Completion("gs://films/clips/a b.mp4", wanted)


def test_without_a_receipt_the_session_tells_of_the_object() -> None:
    """A completed session answers a question with its object; any other answer is no completion."""
    (request,), completion = run(transport().complete(session(), {}), [answer(200, STORED)])
    assert request.headers["Content-Range"] == "bytes */600000"
    assert completion.fields["generation"] == "7"
    for given, kind in ((answer(404), SessionExpiredError), (answer(308), OffsetMismatchError)):
        with pytest.raises(kind):
            run(transport().complete(session(), {}), [given])


def test_whether_it_was_completed_can_be_asked() -> None:
    """The object, or surely not; a session that is gone does not tell."""
    verify = transport().verify
    completion = run(verify(session(), {}), [answer(200, STORED)])[1]
    assert completion is not None
    assert completion.location == "gs://films/clips/a b.mp4"
    assert run(verify(session(), {}), [answer(308, range="bytes=0-99")])[1] is None
    with pytest.raises(SessionExpiredError):
        run(verify(session(), {}), [answer(404)])


@pytest.mark.parametrize(
    ("given", "offset"),
    [(answer(308), 0), (answer(308, range="bytes=0-0"), 1), (answer(308, range="bytes=0-99"), 100)],
)
def test_a_question_tells_how_much_is_stored(given: Response, offset: int) -> None:
    """An empty PUT with `bytes */TOTAL`; 308 tells the last byte."""
    (request,), confirmed = run(transport().query(session()), [given])
    assert (request.method, request.url, request.body) == ("PUT", Secret(URI), None)
    assert dict(request.headers) == {"Content-Range": "bytes */600000", "Content-Length": "0"}
    assert (confirmed.offset, confirmed.processing) == (offset, None)


def test_a_question_after_the_end_is_answered_with_the_object() -> None:
    """Every byte is there, and the upload has ended."""
    _, confirmed = run(transport().query(session()), [answer(200, STORED)])
    assert confirmed.offset == SIZE
    assert confirmed.processing is not None
    assert confirmed.processing.completion is not None
    assert confirmed.processing.completion.location == "gs://films/clips/a b.mp4"


@pytest.mark.parametrize("status", [404, 410, 499])
def test_a_session_that_is_gone_is_told_as_that(status: int) -> None:
    """For chunks and questions: only a new session helps."""
    with pytest.raises(SessionExpiredError):
        put(0, answer(status))
    with pytest.raises(SessionExpiredError):
        run(transport().query(session()), [answer(status)])


@pytest.mark.parametrize("status", [499, 204, 404, 410])
def test_a_session_is_dropped_by_delete(status: int) -> None:
    """499 is Google's success; a session that is gone is as good."""
    (request,), _ = run(transport().abort(session()), [answer(status)])
    assert (request.method, request.url) == ("DELETE", Secret(URI))
    with pytest.raises(ServerError):
        run(transport().abort(session()), [answer(503)])


@pytest.mark.parametrize(
    ("given", "kind", "recovery"),
    [
        (refused(400, "invalid"), RejectedError, Recovery.NONE),
        (refused(401, "authError"), AuthenticationError, Recovery.NONE),
        (refused(403, "forbidden"), AuthenticationError, Recovery.NONE),
        (answer(403), AuthenticationError, Recovery.NONE),
        (refused(403, "rateLimitExceeded"), RateLimitedError, Recovery.RETRY),
        (refused(403, "userRateLimitExceeded"), RateLimitedError, Recovery.RETRY),
        (refused(403, "quotaExceeded"), RateLimitedError, Recovery.NONE),
        (refused(403, "dailyLimitExceeded"), RateLimitedError, Recovery.NONE),
        (refused(404, "notFound"), RejectedError, Recovery.NONE),
        (refused(412, "conditionNotMet"), RejectedError, Recovery.NONE),
        (answer(408), ServerError, Recovery.RETRY),
        (answer(429), RateLimitedError, Recovery.RETRY),
        (answer(500), ServerError, Recovery.RETRY),
        (refused(503, "backendError"), ServerError, Recovery.RETRY),
        (answer(302), ProtocolError, Recovery.NONE),
    ],
)
def test_an_opening_that_is_refused_is_told(
    given: Response, kind: type[TransportError], recovery: Recovery
) -> None:
    """By class, Google's reason kept; nothing was done: a session that nobody has is none."""
    with pytest.raises(kind) as caught:
        run(transport().create(SPEC), [given])
    assert caught.value.recovery is recovery
    assert not caught.value.ambiguous
    if given.content:
        reason = json.loads(given.content)["error"]["errors"][0]["reason"]
        assert caught.value.vendor_code == reason
        assert reason in caught.value.message


def test_after_a_5xx_the_server_is_asked_first() -> None:
    """It may have kept some of the chunk."""
    with pytest.raises(ServerError) as caught:
        put(0, answer(503, retry_after="7"))
    assert (caught.value.recovery, caught.value.retry_after) == (Recovery.RESYNC, 7.0)


def test_the_newer_form_of_errors_is_read_too() -> None:
    """`status` is the reason where no list of errors is given; a text alone is one as well."""
    newer = {"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}}
    with pytest.raises(TransportError, match="PERMISSION_DENIED: no"):
        run(transport().create(SPEC), [answer(403, newer)])
    with pytest.raises(TransportError, match="invalid_grant"):
        run(transport().create(SPEC), [answer(400, {"error": "invalid_grant"})])


def test_a_message_that_names_a_session_is_not_repeated() -> None:
    """Who reads it could go on with the upload."""
    with pytest.raises(RejectedError) as caught:
        put(0, refused(400, "invalid", "upload_id=AB is not valid"))
    assert "AB" not in str(caught.value)


def test_a_sum_that_was_known_is_compared() -> None:
    """An object with another sum is an error, although it was answered 200."""
    with pytest.raises(DigestMismatchError, match="has crc32c AAAAAA=="):
        put(2, answer(200, STORED), crc32c="AAAAAQ==")
    put(2, answer(200, STORED), crc32c="AAAAAA==")


def test_a_small_plain_object_is_one_request() -> None:
    """uploadType=media, signed, the body streamed; the answer is the object."""
    place = transport()
    flow = place.put(SPEC, Content(SIZE))  # type: ignore[attr-defined]
    (request,), completion = run(flow, [answer(200, STORED)])
    assert request.method == "POST"
    assert request.auth == "bearer"
    assert "uploadType=media&name=clips%2Fa+b.mp4" in str(request.url)
    assert completion.location == "gs://films/clips/a b.mp4"
    with pytest.raises(RejectedError):
        run(place.put(SPEC, Content(SIZE)), [refused(404, "notFound")])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "fields",
    [{"metadata": {"a": "b"}}, {"if_generation_match": 0}, {"md5_hash": "A" * 22 + "=="}],
)
def test_what_one_request_cannot_say_goes_by_a_session(fields: dict[str, Any]) -> None:
    """Metadata needs a session; a precondition makes a repeated request a lie."""
    assert not hasattr(transport(**fields), "put")
    assert hasattr(transport(), "put")
