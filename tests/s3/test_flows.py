"""S3's flows ask for exactly the documented requests, and believe only what answers tell."""

import base64
import hashlib
from typing import Any
from xml.etree import ElementTree as ET

import google_crc32c
import pytest

from tests.s3.flows import (
    PLAN,
    SESSION,
    Content,
    receipts,
    refused,
    run,
    spec,
    stored,
    transport,
    xml,
)
from uploader.errors import (
    AuthenticationError,
    DigestMismatchError,
    OutcomeUnknownError,
    ProtocolError,
    RateLimitedError,
    Recovery,
    ServerError,
    SessionExpiredError,
)
from uploader.http import Response
from uploader.model import Receipt, Session

URL = "https://my-bucket.s3.eu-west-1.amazonaws.com/a%20b/c.mp4"
EMPTY = hashlib.sha256(b"").hexdigest()
CONTENTS = (b"one" * 100, b"two" * 100, b"three")
SIZE = sum(map(len, CONTENTS))


def crc(content: bytes) -> str:
    """Return CRC32C as S3 writes it."""
    return base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()


def etag_of_parts() -> str:
    """Return the ETag that S3 gives an object of `CONTENTS`."""
    parts = b"".join(hashlib.md5(each, usedforsecurity=False).digest() for each in CONTENTS)
    return f'"{hashlib.md5(parts, usedforsecurity=False).hexdigest()}-3"'


def crc_of_parts() -> str:
    """Return the composite checksum of `CONTENTS`."""
    parts = b"".join(google_crc32c.value(each).to_bytes(4, "big") for each in CONTENTS)
    return f"{crc(parts)}-3"


GONE = refused(404, "NoSuchUpload")
OPENED = xml("InitiateMultipartUploadResult", "<Bucket>b</Bucket><UploadId>id/+1</UploadId>")


def test_create_carries_the_objects_headers() -> None:
    """One POST with the media type, the checksum's algorithm and what describes the object."""
    to = transport(
        acl="private",
        cache_control="no-store",
        storage_class="STANDARD_IA",
        server_side_encryption="aws:kms",
        sse_kms_key_id="alias/mine",
        metadata={"Title": "a clip"},
    )
    (request,), session = run(to.create(spec()), [OPENED])
    assert (request.operation, request.method, request.url) == ("create", "POST", f"{URL}?uploads")
    assert request.auth == "s3"
    assert request.headers == {
        "Content-Type": "video/mp4",
        "Cache-Control": "no-store",
        "x-amz-acl": "private",
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "alias/mine",
        "x-amz-meta-title": "a clip",
        "x-amz-checksum-algorithm": "CRC32C",
        "x-amz-checksum-type": "COMPOSITE",
        "x-amz-content-sha256": EMPTY,
    }
    assert session == Session({"upload_id": "id/+1"})


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        (
            {"checksum": "crc32c"},
            {"x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-checksum-crc32c": crc(b"two")},
        ),
        (
            {"checksum": "sha256"},
            {
                "x-amz-content-sha256": hashlib.sha256(b"two").hexdigest(),
                "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(b"two").digest()).decode(),
            },
        ),
        ({"checksum": None}, {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}),
        (
            {"checksum": None, "endpoint_url": "http://minio:9000"},
            {"x-amz-content-sha256": hashlib.sha256(b"two").hexdigest()},
        ),
    ],
)
def test_a_part_is_protected(fields: dict[str, Any], headers: dict[str, str]) -> None:
    """By a checksum, by TLS, or where there is neither by its signed hash; and by nothing twice."""
    to = transport(**fields)
    body = Content(b"two", to.capabilities.digests)
    (request,), receipt = run(to.put_part(SESSION, PLAN, PLAN.part(1), body), [stored(b"two")])
    assert request.method == "PUT"
    assert str(request.url).endswith("/a%20b/c.mp4?partNumber=2&uploadId=id%2F%2B1")
    assert request.headers == headers
    assert request.body is body
    assert (receipt.index, receipt.length) == (1, 3)


def test_a_part_that_arrived_otherwise_is_sent_again() -> None:
    """S3 tells the checksum of what it stored."""
    flow = transport().put_part(SESSION, PLAN, PLAN.part(0), Content(b"one"))
    with pytest.raises(DigestMismatchError) as caught:
        run(flow, [stored(b"one", x_amz_checksum_crc32c=crc(b"other"))])
    assert caught.value.recovery is Recovery.RETRY


def test_a_part_without_an_etag_was_not_stored() -> None:
    """Nothing could be completed with such a receipt."""
    with pytest.raises(ProtocolError):
        run(transport().put_part(SESSION, PLAN, PLAN.part(0), Content(b"one")), [Response(200)])


def test_put_sends_the_whole_object_at_once() -> None:
    """PutObject has the headers of the object and the checksum of the content."""
    to = transport(storage_class="GLACIER")
    answer = stored(b"one", x_amz_version_id="v7", x_amz_checksum_crc32c=crc(b"one"))
    (request,), done = run(to.put(spec(3), Content(b"one")), [answer])
    assert (request.method, request.url) == ("PUT", URL)
    assert request.headers == {
        "Content-Type": "video/mp4",
        "x-amz-storage-class": "GLACIER",
        "x-amz-checksum-crc32c": crc(b"one"),
        "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
    }
    assert done.location == URL
    assert done.fields["version_id"] == "v7"
    assert done.fields["crc32c"] == crc(b"one")


def page(numbers: range, following: int | None) -> Response:
    """Return a page of ListParts."""
    parts = "".join(
        f"<Part><PartNumber>{n}</PartNumber><ETag>&quot;{n:032x}&quot;</ETag><Size>{n}</Size>"
        f"<ChecksumCRC32C>{crc(b'x')}</ChecksumCRC32C></Part>"
        for n in numbers
    )
    more = "false" if following is None else "true"
    marker = (
        "" if following is None else f"<NextPartNumberMarker>{following}</NextPartNumberMarker>"
    )
    return xml("ListPartsResult", f"{marker}<IsTruncated>{more}</IsTruncated>{parts}")


def test_the_list_of_parts_is_read_page_by_page() -> None:
    """2,500 parts are three pages of at most 1,000, each asked for after the last one's marker."""
    pages = [
        page(range(1, 1001), 1000),
        page(range(1001, 2001), 2000),
        page(range(2001, 2501), None),
    ]
    requests, confirmed = run(transport().query(SESSION), pages)
    assert [str(each.url).partition("?")[2] for each in requests] == [
        f"max-parts=1000&part-number-marker={marker}&uploadId=id%2F%2B1"
        for marker in (0, 1000, 2000)
    ]
    assert confirmed.offset is None
    assert confirmed.receipts is not None
    assert sorted(confirmed.receipts) == list(range(2500))
    assert confirmed.receipts[2499] == Receipt(
        2499, {"etag": f'"{2500:032x}"', "crc32c": crc(b"x")}, 2500
    )


def test_a_list_that_does_not_go_on_ends() -> None:
    """A server that repeats its marker is not asked for ever."""
    with pytest.raises(ProtocolError):
        run(transport().query(SESSION), [page(range(1, 3), 2), page(range(1, 3), 2)])


def test_an_incomplete_entry_is_no_receipt() -> None:
    """A part whose ETag or size is missing would have to be made up."""
    answer = xml(
        "ListPartsResult",
        "<IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><Size>5</Size></Part>"
        "<Part><PartNumber>2</PartNumber><ETag>e</ETag></Part>",
    )
    assert run(transport().query(SESSION), [answer])[1].receipts == {}


def completed(checksum: str = "", kind: str = "COMPOSITE") -> Response:
    """Return the answer to CompleteMultipartUpload."""
    more = f"<ChecksumCRC32C>{checksum}</ChecksumCRC32C><ChecksumType>{kind}</ChecksumType>"
    return xml(
        "CompleteMultipartUploadResult",
        f"<ETag>{etag_of_parts()}</ETag>{more if checksum else ''}",
        x_amz_version_id="v1",
    )


def test_complete_lists_the_parts_in_order() -> None:
    """Whatever the order of the receipts: number, ETag and checksum of each, and their sum."""
    to = transport()
    shuffled = dict(sorted(receipts(to, CONTENTS).items(), reverse=True))
    (request,), done = run(to.complete(SESSION, shuffled), [completed(crc_of_parts())])
    assert request.content is not None
    root = ET.fromstring(request.content)  # noqa: S314 - ours
    space = "{http://s3.amazonaws.com/doc/2006-03-01/}"
    assert [
        tuple(part.findtext(space + name) for name in ("PartNumber", "ETag", "ChecksumCRC32C"))
        for part in root
    ] == [
        (str(number), stored(each).headers["etag"], crc(each))
        for number, each in enumerate(CONTENTS, 1)
    ]
    assert request.headers["x-amz-mp-object-size"] == str(SIZE)
    assert request.headers["x-amz-content-sha256"] == hashlib.sha256(request.content).hexdigest()
    assert done.fields == {
        "bucket": "my-bucket",
        "key": "a b/c.mp4",
        "etag": etag_of_parts(),
        "crc32c": crc_of_parts(),
        "version_id": "v1",
    }


def test_an_object_of_other_bytes_is_no_success() -> None:
    """The object's checksum must be what its parts' make; that of another kind says nothing."""
    to = transport()
    with pytest.raises(DigestMismatchError) as caught:
        run(to.complete(SESSION, receipts(to, CONTENTS)), [completed("AAAAAA==-3")])
    assert caught.value.recovery is Recovery.NONE
    answer = completed("AAAAAA==", "FULL_OBJECT")
    run(to.complete(SESSION, receipts(to, CONTENTS)), [answer])


@pytest.mark.parametrize(
    ("code", "kind"),
    [("InternalError", ServerError), ("SlowDown", RateLimitedError)],
)
def test_a_200_with_an_error_inside_is_an_error(code: str, kind: type[Exception]) -> None:
    """S3 sends 200 and spaces before it knows; what it then says may be tried again."""
    content = b"\n\n   " + refused(200, code).content
    with pytest.raises(kind) as caught:
        run(transport().complete(SESSION, {}), [Response(200, {}, content)])
    assert getattr(caught.value, "recovery", None) is Recovery.RETRY


@pytest.mark.parametrize("content", [b"", b"   ", b"<html/>", b"{}", b"<a>" * 40])
def test_a_200_that_tells_nothing_is_doubtful(content: bytes) -> None:
    """It may have been completed: that is asked about, not assumed."""
    with pytest.raises(ProtocolError) as caught:
        run(transport().complete(SESSION, {}), [Response(200, {}, content)])
    assert caught.value.ambiguous


def test_an_upload_that_is_gone_at_completion_is_doubtful() -> None:
    """It is gone after it was completed, too."""
    with pytest.raises(SessionExpiredError) as caught:
        run(transport().complete(SESSION, {}), [GONE])
    assert caught.value.ambiguous


def head(**headers: str) -> Response:
    """Return the answer to HEAD."""
    return Response(200, {name.replace("_", "-"): value for name, value in headers.items()})


def test_an_upload_that_is_still_open_was_not_completed() -> None:
    """It may be completed again."""
    to = transport()
    (request,), verdict = run(to.verify(SESSION, receipts(to, CONTENTS)), [page(range(1, 2), None)])
    assert verdict is None
    assert "max-parts=1&" in str(request.url)


@pytest.mark.parametrize(
    "proof",
    [
        {"x_amz_checksum_crc32c": crc_of_parts(), "etag": '"kms"'},
        {"x_amz_checksum_crc32c": crc_of_parts()[:-2], "x_amz_checksum_type": "COMPOSITE"},
        {"etag": etag_of_parts()},
        {"etag": etag_of_parts(), "x_amz_checksum_crc32c": "AAAAAA=="},
    ],
)
def test_the_object_itself_proves_that_it_was_completed(proof: dict[str, str]) -> None:
    """By size and composite checksum, else by size and the ETag of parts."""
    to = transport()
    answers = [GONE, head(content_length=str(SIZE), **proof)]
    requests, done = run(to.verify(SESSION, receipts(to, CONTENTS)), answers)
    assert done is not None
    assert done.location == URL
    assert (requests[1].method, requests[1].url) == ("HEAD", URL)
    assert requests[1].headers["x-amz-checksum-mode"] == "ENABLED"


@pytest.mark.parametrize(
    "answer",
    [
        Response(404),
        Response(403),
        head(content_length=str(SIZE), etag='"another"'),
        head(content_length=str(SIZE + 1), etag=etag_of_parts()),
        head(content_length=str(SIZE), etag=etag_of_parts(), x_amz_checksum_crc32c="AAAAAA==-3"),
        head(etag=etag_of_parts()),
    ],
)
def test_what_the_key_does_not_prove_is_unknown(answer: Response) -> None:
    """Nothing there, no right to look, or another object: it may have been completed and moved."""
    to = transport()
    with pytest.raises(OutcomeUnknownError):
        run(to.verify(SESSION, receipts(to, CONTENTS)), [GONE, answer])


def test_a_refused_question_is_no_verdict() -> None:
    """Whoever may not list the parts has learnt nothing."""
    with pytest.raises(AuthenticationError):
        run(transport().verify(SESSION, {}), [refused(403, "AccessDenied")])


def test_abort_asks_once_and_is_content_with_gone() -> None:
    """204, and 404 for what is gone already."""
    for answer in (Response(204), GONE):
        (request,), _ = run(transport().abort(SESSION), [answer])
        assert (request.method, request.url) == ("DELETE", f"{URL}?uploadId=id%2F%2B1")
    with pytest.raises(ServerError):
        run(transport().abort(SESSION), [refused(500, "InternalError")])


def test_a_clone_without_checksums_is_asked_for_none() -> None:
    """No header and no element of a checksum goes out, and its size is not claimed."""
    to = transport(checksum=None, endpoint_url="https://clone.example")
    asked = [
        *run(to.create(spec()), [OPENED])[0],
        *run(to.complete(SESSION, receipts(to, CONTENTS)), [completed()])[0],
        *run(
            to.verify(SESSION, receipts(to, CONTENTS)),
            [GONE, head(content_length=str(SIZE), etag=etag_of_parts())],
        )[0],
    ]
    for request in asked:
        assert str(request.url).startswith("https://clone.example/my-bucket/a%20b/c.mp4")
        assert not [name for name in request.headers if "checksum" in name or "mp-object" in name]
        assert b"Checksum" not in (request.content or b"")


def test_parts_are_equal_but_for_the_last() -> None:
    """Some servers want it so, and no plan of ours is cut otherwise."""
    lengths = {part.length for part in PLAN}
    assert lengths == {PLAN.part_size, PLAN.last_length}
