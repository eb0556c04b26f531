"""The CRC32C of an object, combined from those of its parts, is the one that a library takes."""

import base64
import random

import google_crc32c
import pytest

from tests.gcs.flows import Content, answer, run, transport
from transports.gcs.checksums import combined, whole, written
from uploader.errors import DigestMismatchError
from uploader.model import Plan, Receipt, Session, UploadSpec

CONTENT = random.Random(3).randbytes(700_001)


@pytest.mark.parametrize("cut", [0, 1, 2, 255, 262_144, 700_000, 700_001])
def test_two_sums_make_the_sum_of_both(cut: int) -> None:
    """Wherever the content is cut, at its ends too."""
    first, second = CONTENT[:cut], CONTENT[cut:]
    sums = google_crc32c.value(first), google_crc32c.value(second)
    assert combined(*sums, len(second)) == google_crc32c.value(CONTENT)


def receipts(plan: Plan) -> dict[int, Receipt]:
    """Return what putting each part leaves behind."""
    found = {}
    for part in plan:
        digest = google_crc32c.value(CONTENT[part.start : part.stop]).to_bytes(4)
        fields = {"start": part.start, "crc32c": written(digest)}
        found[part.index] = Receipt(part.index, fields)
    return found


def test_the_parts_make_the_whole() -> None:
    """In Cloud Storage's writing; with a part unknown, or sent in two pieces, nothing is said."""
    plan = Plan(len(CONTENT), 262_144, 3)
    expected = base64.b64encode(google_crc32c.value(CONTENT).to_bytes(4)).decode()
    known = receipts(plan)
    assert whole(plan, known) == expected
    assert whole(plan, {**known, 1: Receipt(1, {"resynced": True})}) is None
    later = {**known[1].fields, "start": 262_145}
    assert whole(plan, {**known, 1: Receipt(1, later)}) is None
    assert whole(plan, {0: known[0]}) is None


def test_an_object_with_another_sum_is_refused() -> None:
    """Compared when the upload is completed; what agrees is told as verified."""
    place = transport(checksum=True, metadata={"a": "b"})
    plan = Plan(len(CONTENT), 262_144, 3)
    fields = {"size": plan.size, "content_type": "x/y", "part_size": 262_144, "parts": 3}
    right = base64.b64encode(google_crc32c.value(CONTENT).to_bytes(4)).decode()
    for told, verified in ((right, True), ("AAAAAA==", False)):
        known = receipts(plan)
        known[2] = Receipt(2, {**known[2].fields, "object": {"crc32c": told}})
        flow = place.complete(Session(fields), known)
        if verified:
            assert run(flow)[1].fields == {"crc32c": right, "checksum": "verified"}
        else:
            with pytest.raises(DigestMismatchError, match="crc32c AAAAAA=="):
                run(flow)


def test_a_sum_that_nobody_knows_is_told_as_unknown() -> None:
    """After a part was resumed in its middle, nothing is claimed."""
    place = transport(checksum=True)
    fields = {"size": 5, "content_type": "x/y", "part_size": 5, "parts": 1}
    known = {0: Receipt(0, {"resynced": True, "object": {"crc32c": "AAAAAA=="}})}
    completion = run(place.complete(Session(fields), known))[1]
    assert completion.fields["checksum"] == "unknown"


def test_one_request_is_checked_as_well() -> None:
    """The sum of a small object is its only part's."""
    place = transport(checksum=True)
    digest = google_crc32c.value(CONTENT).to_bytes(4)
    body = Content(len(CONTENT), {"crc32c": digest})
    spec = UploadSpec(len(CONTENT), "x/y", Plan(len(CONTENT), len(CONTENT), 1))
    flow = place.put(spec, body)  # type: ignore[attr-defined]
    completion = run(flow, [answer(200, {"crc32c": written(digest)})])[1]
    assert completion.fields["checksum"] == "verified"
    with pytest.raises(DigestMismatchError):
        run(place.put(spec, body), [answer(200, {"crc32c": "AAAAAA=="})])  # type: ignore[attr-defined]
