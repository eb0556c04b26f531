"""YouTube's flows ask for what the documents say; what Cloud Storage shares is tried there.

They are driven by hand with a list of answers.
"""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.gcs.flows import PLAN, SIZE, SPEC, Content, answer, refused, run
from transports.youtube import YouTubeVideo
from transports.youtube.protocol import YouTubeTransport
from uploader.errors import ProtocolError, RateLimitedError, SessionExpiredError
from uploader.model import Completion, Confirmed, Processing, Session
from uploader.secret import Secret

URI = "https://www.googleapis.com/upload/youtube/v3/videos?uploadType=resumable&upload_id=AB"
WATCH = "https://www.youtube.com/watch?v=v1"
MADE = {"kind": "youtube#video", "id": "v1", "status": {"uploadStatus": "uploaded"}}
FACTS = {"video_id": "v1", "upload_status": "uploaded"}


def transport(**fields: Any) -> YouTubeTransport:
    """Return the protocol of a video with these fields."""
    return YouTubeVideo("Winter", access_token="ya29.x", **fields).transport()


def session() -> Session:
    """Return an open session."""
    return Session({"size": SIZE, "content_type": "video/mp4"}, {"session_uri": Secret(URI)})


def test_a_session_is_opened_as_documented() -> None:
    """POST with the parts that are sent, the resource as JSON, size and type announced, signed."""
    video = transport(
        recording_date="2026-01-24T18:00:00Z",
        notify_subscribers=False,
        on_behalf_of_content_owner="owner",
    )
    (request,), opened = run(video.create(SPEC), [answer(200, location=URI)])
    parts = urlsplit(str(request.url))
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == (
        "https://www.googleapis.com/upload/youtube/v3/videos"
    )
    assert parse_qs(parts.query) == {
        "uploadType": ["resumable"],
        "part": ["snippet,status,recordingDetails"],
        "notifySubscribers": ["false"],
        "onBehalfOfContentOwner": ["owner"],
    }
    assert dict(request.headers) == {
        "Content-Type": "application/json; charset=UTF-8",
        "X-Upload-Content-Type": "video/mp4",
        "X-Upload-Content-Length": str(SIZE),
    }
    assert request.auth == "bearer"
    assert json.loads(request.content or b"")["snippet"] == {"title": "Winter"}
    assert opened.secrets["session_uri"] == Secret(URI)


def test_chunks_and_questions_are_signed() -> None:
    """YouTube's guide has the token with each of them."""
    part = PLAN.part(0)
    put = transport().put_part(session(), PLAN, part, Content(part.length))
    (chunk,), receipt = run(put, [answer(308, range="bytes=0-262143")])
    (asked,), _ = run(transport().query(session()), [answer(308)])
    (dropped,), _ = run(transport().abort(session()), [answer(499)])
    assert {chunk.auth, asked.auth, dropped.auth} == {"bearer"}
    assert chunk.headers["Content-Type"] == "video/mp4"
    assert receipt.fields == {}


def test_the_last_chunk_tells_which_video_it_made() -> None:
    """A receipt with the id; an answer without one is no receipt."""
    part = PLAN.part(2)
    flow = transport().put_part(session(), PLAN, part, Content(part.length))
    receipt = run(flow, [answer(201, MADE)])[1]
    assert receipt.fields == FACTS
    requests, completion = run(transport().complete(session(), {2: receipt}))
    assert (requests, completion) == ([], Completion(WATCH, FACTS))
    assert run(transport().complete(session(), {})) == ([], Completion())
    for nothing in ({}, {"id": ""}, {"id": 7}):
        flow = transport().put_part(session(), PLAN, part, Content(part.length))
        with pytest.raises(ProtocolError) as caught:
            run(flow, [answer(200, nothing)])
        assert caught.value.ambiguous


def test_a_question_after_the_end_tells_of_the_video() -> None:
    """Ended, or arrived and not ended where its processing is waited for."""
    told = run(transport().query(session()), [answer(200, MADE)])[1]
    arrived = Processing("uploaded", Completion(WATCH, FACTS), fields=FACTS)
    assert told == Confirmed(SIZE, arrived)
    told = run(transport(await_processing=True).query(session()), [answer(200, MADE)])[1]
    assert told == Confirmed(SIZE, Processing("uploaded", fields=FACTS))
    with pytest.raises(SessionExpiredError):
        run(transport().query(session()), [answer(410)])


def test_a_poll_learns_which_video_it_is() -> None:
    """From the session; one that has forgotten it leaves the video without a name, not in doubt."""
    (asked,), told = run(transport().poll(session()), [answer(200, MADE)])
    assert asked.headers["Content-Range"] == f"bytes */{SIZE}"
    assert told.completion == Completion(WATCH, FACTS)
    assert run(transport().poll(session()), [answer(404)])[1].completion == Completion()
    assert not run(transport().poll(session()), [answer(308)])[1].is_terminal


@pytest.mark.parametrize(
    ("status", "end"),
    [
        ({"uploadStatus": "uploaded"}, None),
        ({"uploadStatus": "a new word"}, None),
        ({}, None),
        ({"uploadStatus": "processed"}, "completion"),
        ({"uploadStatus": "failed", "failureReason": "codec"}, "codec"),
        ({"uploadStatus": "rejected", "rejectionReason": "copyright"}, "copyright"),
        ({"uploadStatus": "deleted"}, "deleted"),
    ],
)
def test_processing_ends_as_youtube_says(status: dict[str, str], end: str | None) -> None:
    """Well, badly with its reason, or not yet; a word that nobody knows is no end."""
    video = {"id": "v1", "status": status, "processingDetails": {"processingStatus": "x"}}
    given = [answer(200, MADE), answer(200, {"items": [video]})]
    (_, listed), told = run(transport(await_processing=True).poll(session()), given)
    assert str(listed.url) == (
        "https://www.googleapis.com/youtube/v3/videos?part=processingDetails,status&id=v1"
    )
    assert (listed.method, listed.auth) == ("GET", "bearer")
    if end == "completion":
        assert told.completion is not None
        assert told.completion.location == WATCH
    elif end is None:
        assert not told.is_terminal
    else:
        assert told.error is not None
        assert told.error.vendor_code == end


@pytest.mark.parametrize("content", [{}, {"items": []}, {"items": ["x"]}, {"items": "x"}])
def test_a_video_that_is_not_listed_yet_has_no_end(content: object) -> None:
    """Lists lag behind."""
    given = [answer(200, MADE), answer(200, content)]
    assert not run(transport(await_processing=True).poll(session()), given)[1].is_terminal


def test_a_list_that_is_refused_is_an_error() -> None:
    """Of reading, which the engine knows not to take for the upload's."""
    given = [answer(200, MADE), refused(403, "quotaExceeded")]
    with pytest.raises(RateLimitedError):
        run(transport(await_processing=True).poll(session()), given)
