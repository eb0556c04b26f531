"""tus's flows ask for exactly what the specification says, and believe only what it lets them.

They are driven by hand with a list of answers: no wire, no engine.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.tus.answers import (
    UPLOAD_URL,
    URL,
    Bytes,
    answer,
    described,
    run,
    session,
    spec,
    transport,
)
from uploader.errors import (
    DigestMismatchError,
    OffsetMismatchError,
    ProtocolError,
    Recovery,
    RejectedError,
    SessionExpiredError,
    TransportError,
)
from uploader.model import Part, Plan, Receipt
from uploader.secret import Secret

TUS = {"Tus-Resumable": "1.0.0"}
PLAN = Plan(25, 10, 3)


def test_create_asks_for_what_the_specification_says() -> None:
    """One POST with the length and the metadata in base64, on a fresh connection, unsigned."""
    flow = transport(metadata={"is_confidential": "", "title": "Grüße"}).create(spec(25))
    (request,), opened = run(flow, [answer(201, location=UPLOAD_URL, upload_expires="Wed")])
    assert described(request) == (
        "create",
        "POST",
        URL,
        {
            **TUS,
            "Upload-Length": "25",
            "Upload-Metadata": "filename ZmlsbS5tcDQ=,filetype dmlkZW8vbXA0,is_confidential,"
            "title R3LDvMOfZQ==",
        },
    )
    assert (request.auth, request.fresh, request.body, request.content) == (None, True, None, None)
    assert opened.secrets == {"upload_url": Secret(UPLOAD_URL)}
    assert opened.fields["expires"] == "Wed"
    assert UPLOAD_URL not in json.dumps(dict(opened.fields)) + repr(opened) + repr(request)


def test_metadata_of_the_caller_wins() -> None:
    """A given name is told instead of the file's; `None` tells none."""
    flow = transport(metadata={"filename": "a.mp4", "filetype": None}).create(spec(25))
    (request,), _ = run(flow, [answer(201, location=UPLOAD_URL)])
    assert request.headers["Upload-Metadata"] == "filename YS5tcDQ="


def test_a_token_signs_every_request() -> None:
    """Where a token is given, each request names the credential that signs it."""
    signed = transport(access_token="token")
    asked, _ = run(signed.create(spec(25)), [answer(201, location=UPLOAD_URL)])
    asked += run(signed.query(session(25)), [answer(200, upload_offset=3, upload_length=25)])[0]
    asked += run(signed.abort(session(25)), [answer(204)])[0]
    part = PLAN.part(1)
    answers = [answer(204, upload_offset=20)]
    asked += run(signed.put_part(session(25), PLAN, part, Bytes(10)), answers)[0]
    assert {each.auth for each in asked} == {"bearer"}


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        (UPLOAD_URL, UPLOAD_URL),
        ("/files/opens-sesame", UPLOAD_URL),
        ("opens-sesame", UPLOAD_URL),
        ("//uploads.example/files/opens-sesame", UPLOAD_URL),
        ("https://uploads.example:443/x?token=1", "https://uploads.example:443/x?token=1"),
        ("https://cdn.example/x", "https://cdn.example/x"),
    ],
)
def test_a_location_is_resolved(location: str, leads_to: str) -> None:
    """Relative ones are seen from where the upload was created; a named host may hold uploads."""
    flow = transport(upload_hosts=("cdn.example",)).create(spec(25))
    assert run(flow, [answer(201, location=location)])[1].secrets["upload_url"].reveal() == leads_to


@pytest.mark.parametrize(
    "location",
    [
        "http://uploads.example/files/secret", "https://evil.example/files/secret",
        "https://uploads.example.evil/secret", "https://uploads.example:444/secret",
        "//evil.example/secret", "https://u:p@uploads.example/secret", "https://[secret",
        "ftp://uploads.example/secret", "https://uploads.example/secret#x", "/secret\x7f",
        "http://cdn.example/secret", "https://cdn.example:8443/secret", "/" + "secret" * 2000,
    ],
)  # fmt: skip
def test_a_location_that_leads_elsewhere_is_refused(location: str) -> None:
    """Nothing is sent there, and its text is not told."""
    flow = transport(upload_hosts=("cdn.example",)).create(spec(25))
    with pytest.raises(ProtocolError, match="refused") as caught:
        run(flow, [answer(201, location=location)])
    assert not caught.value.ambiguous
    assert "secret" not in str(caught.value) + "".join(caught.value.hints)


@pytest.mark.parametrize("status", [200, 204, 301, 302, 307])
def test_only_201_creates(status: int) -> None:
    """Another success is none, and a redirect is not followed."""
    with pytest.raises(ProtocolError):
        run(transport().create(spec(25)), [answer(status, location=UPLOAD_URL)])


def test_a_creation_without_a_location_is_no_session() -> None:
    """There is nowhere to send to."""
    with pytest.raises(ProtocolError, match="no Location"):
        run(transport().create(spec(25)), [answer(201)])


@pytest.mark.parametrize(("index", "start", "stop"), [(0, 0, 10), (1, 10, 20), (2, 20, 25)])
def test_a_part_is_appended_at_its_offset(index: int, start: int, stop: int) -> None:
    """A PATCH of the upload's URL with offset and the one content type that tus has."""
    part = PLAN.part(index)
    flow = transport().put_part(session(25), PLAN, part, Bytes(part.length))
    (request,), receipt = run(flow, [answer(204, upload_offset=stop)])
    wanted = {**TUS, "Content-Type": "application/offset+octet-stream"}
    assert described(request) == (
        "put", "PATCH", UPLOAD_URL, {**wanted, "Upload-Offset": str(start)},
    )  # fmt: skip
    assert isinstance(request.url, Secret)
    assert request.body is not None
    assert receipt == Receipt(index)


def test_the_rest_of_a_part_is_appended_where_it_begins() -> None:
    """After a prefix was taken, the offset is that of the rest."""
    flow = transport().put_part(session(25), PLAN, Part(1, 13, 7), Bytes(7))
    (request,), receipt = run(flow, [answer(204, upload_offset=20)])
    assert request.headers["Upload-Offset"] == "13"
    assert receipt.index == 1


@pytest.mark.parametrize("offset", [10, 11, 19])
def test_a_prefix_that_was_taken_is_told(offset: int) -> None:
    """A success with a smaller offset is a mismatch that names it."""
    flow = transport().put_part(session(25), PLAN, PLAN.part(1), Bytes(10))
    with pytest.raises(OffsetMismatchError) as caught:
        run(flow, [answer(204, upload_offset=offset)])
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    "headers", [{}, {"upload_offset": 9}, {"upload_offset": 21}, {"upload_offset": "x"},
                {"upload_offset": "-1"}, {"upload_offset": ""}, {"upload_offset": "1" * 30}]
)  # fmt: skip
def test_an_offset_that_cannot_be_is_no_success(headers: dict[str, Any]) -> None:
    """Missing, outside of what was sent, or no number: the server is asked or not believed."""
    flow = transport().put_part(session(25), PLAN, PLAN.part(1), Bytes(10))
    with pytest.raises(ProtocolError) as caught:
        run(flow, [answer(204, **headers)])
    assert caught.value.ambiguous


def test_a_conflict_tells_the_offset_when_it_says_it() -> None:
    """409 is a mismatch; its offset is there only when the server told it."""
    told: list[tuple[dict[str, Any], int | None]] = [({}, None), ({"upload_offset": 13}, 13)]
    for headers, offset in told:
        flow = transport().put_part(session(25), PLAN, PLAN.part(1), Bytes(10))
        with pytest.raises(OffsetMismatchError) as caught:
            run(flow, [answer(409, **headers)])
        assert caught.value.offset == offset
        assert caught.value.recovery is Recovery.RESYNC


def test_the_offset_is_asked_for() -> None:
    """One HEAD; what it says is what is confirmed."""
    (request,), confirmed = run(
        transport().query(session(25)), [answer(200, upload_offset=17, upload_length=25)]
    )
    assert described(request) == ("query", "HEAD", UPLOAD_URL, TUS)
    assert (confirmed.offset, confirmed.processing, confirmed.receipts) == (17, None, None)


def test_an_upload_of_another_length_is_another_one() -> None:
    """What is confirmed of it says nothing of this content."""
    with pytest.raises(RejectedError, match=r"26 bytes.* 25"):
        run(transport().query(session(25)), [answer(200, upload_offset=25, upload_length=26)])


@pytest.mark.parametrize("headers", [{}, {"upload_offset": "many"}])
def test_an_answer_without_an_offset_confirms_nothing(headers: dict[str, Any]) -> None:
    """It is not taken for 0."""
    with pytest.raises(ProtocolError):
        run(transport().query(session(25)), [answer(200, **headers)])


@pytest.mark.parametrize("status", [200, 204, 404, 410])
def test_an_upload_is_dropped(status: int) -> None:
    """One DELETE; that it is gone already is as good."""
    (request,), _ = run(transport().abort(session(25)), [answer(status)])
    assert described(request) == ("abort", "DELETE", UPLOAD_URL, TUS)


def test_a_server_that_ends_no_uploads_says_so() -> None:
    """Without the extension the answer is a refusal."""
    with pytest.raises(TransportError):
        run(transport().abort(session(25)), [answer(405)])


def test_the_url_is_the_location_only_where_that_is_no_secret() -> None:
    """Nothing is asked for; by default nobody is told where it is."""
    for public, location in ((False, None), (True, UPLOAD_URL)):
        requests, completion = run(transport(public_location=public).complete(session(25), {}))
        assert (requests, completion.location) == ([], location)


def test_a_checksum_goes_with_each_part() -> None:
    """SHA-1 in base64; the server's offer is asked for before the first byte."""
    summed = transport(checksum="sha1")
    assert summed.capabilities.digests == {"sha1"}
    offer = answer(204, tus_extension="creation,checksum", tus_checksum_algorithm="md5,sha1")
    body = Bytes(10, sha1=bytes(20))
    asked, _ = run(
        summed.put_part(session(25), PLAN, PLAN.part(0), body),
        [offer, answer(204, upload_offset=10)],
    )
    assert [described(each)[:3] for each in asked] == [
        ("options", "OPTIONS", URL), ("put", "PATCH", UPLOAD_URL),
    ]  # fmt: skip
    assert asked[1].headers["Upload-Checksum"] == "sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA="
    flow = summed.put_part(session(25), PLAN, PLAN.part(1), body)
    assert len(run(flow, [answer(204, upload_offset=20)])[0]) == 1


@pytest.mark.parametrize(
    "headers",
    [{}, {"tus_extension": "creation"}, {"tus_extension": "creation,checksum"},
     {"tus_extension": "checksum", "tus_checksum_algorithm": "md5"}],
)  # fmt: skip
def test_a_checksum_that_nobody_would_check_is_refused(headers: dict[str, Any]) -> None:
    """Before a byte is sent."""
    body = Bytes(10, sha1=bytes(20))
    flow = transport(checksum="sha1").put_part(session(25), PLAN, PLAN.part(0), body)
    with pytest.raises(RejectedError, match="checksum"):
        run(flow, [answer(204, **headers)])


def test_a_wrong_checksum_is_told() -> None:
    """460: the server threw the bytes away, and they are sent again."""
    body = Bytes(10, sha1=bytes(20))
    flow = transport(checksum="sha1").put_part(session(25), PLAN, PLAN.part(1), body)
    with pytest.raises(DigestMismatchError) as caught:
        run(flow, [answer(460)])
    assert caught.value.recovery is Recovery.RETRY


class TestOpenedElsewhere:
    """An upload that another service opened."""

    def test_nothing_is_opened(self) -> None:
        """Its URL is the session's, as it was given."""
        requests, opened = run(transport(upload_url=UPLOAD_URL).create(spec(25)))
        assert not requests
        assert opened.secrets["upload_url"].reveal() == UPLOAD_URL

    def test_it_is_looked_at_before_the_first_byte(self) -> None:
        """A HEAD shows that it is there and of this length."""
        flow = transport(upload_url=UPLOAD_URL).put_part(session(25), PLAN, PLAN.part(0), Bytes(10))
        answers = [answer(200, upload_offset=0, upload_length=25), answer(204, upload_offset=10)]
        assert [each.method for each in run(flow, answers)[0]] == ["HEAD", "PATCH"]

    def test_what_it_holds_is_gone_on_with(self) -> None:
        """An offset within the first part is where to begin."""
        flow = transport(upload_url=UPLOAD_URL).put_part(session(25), PLAN, PLAN.part(0), Bytes(10))
        with pytest.raises(OffsetMismatchError) as caught:
            run(flow, [answer(200, upload_offset=4, upload_length=25)])
        assert caught.value.offset == 4

    @pytest.mark.parametrize(
        ("found", "kind", "says"),
        [
            (answer(200, upload_offset=0, upload_length=26), RejectedError, "26 bytes"),
            (answer(200, upload_offset=11, upload_length=25), RejectedError, "11 bytes"),
            (answer(404), SessionExpiredError, "gone"),
            (answer(410), SessionExpiredError, "gone"),
        ],
    )
    def test_what_cannot_be_gone_on_with_is_refused(
        self, found: Any, kind: type[TransportError], says: str
    ) -> None:
        """Of another length, further than a part, or gone: nobody here opens it anew."""
        flow = transport(upload_url=UPLOAD_URL).put_part(session(25), PLAN, PLAN.part(0), Bytes(10))
        with pytest.raises(kind, match=says) as caught:
            run(flow, [found])
        assert caught.value.recovery is Recovery.NONE

    def test_a_journal_does_not_know_its_url(self) -> None:
        """Built again from public fields, an upload that has no session cannot begin."""
        with pytest.raises(RejectedError, match="not known here"):
            run(transport(url="", elsewhere="https://uploads.example").create(spec(25)))
