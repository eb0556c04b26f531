"""Objects arrive in the emulator as they were described, and refusals are told as they are."""

import hashlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import pytest

from tests.engine.clock import FakeClock
from tests.gcs.emulator import Emulator
from transports.gcs import GcsObject
from transports.gcs.checksums import written
from transports.gcs.factory import GCS
from transports.resumable import ALIGNMENT
from uploader import Outcome, Uploader, UploadResult
from uploader.errors import AuthenticationError, ProtocolError, RejectedError
from uploader.model import Plan, UploadSpec
from uploader.secret import Secret
from uploader.testing.faulty_proxy import Answer, Fault, FaultyProxy, ResetAfter
from uploader.testing.transports import Held

SIZE = 3 * ALIGNMENT + 5
Upload = Callable[[GcsObject], UploadResult]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Write four parts, the last of five bytes."""
    path = tmp_path / "film.mp4"
    path.write_bytes(random.Random(1).randbytes(SIZE))
    return path


@pytest.fixture
def upload(film: Path) -> Upload:
    """Upload the film, without a wait between two tries."""

    def once(place: GcsObject) -> UploadResult:
        with Uploader(clock=FakeClock(), metrics=False) as uploader:
            return uploader.upload(film, place)

    return once


def at(emulator: Emulator, name: str, **fields: Any) -> GcsObject:
    """Return a place in the emulator's bucket."""
    given = {"access_token": emulator.token, "endpoint_url": emulator.url, "part_size": ALIGNMENT}
    return GcsObject(emulator.bucket, name, **{**given, **fields})


def test_the_object_is_as_it_was_described(emulator: Emulator, upload: Upload, film: Path) -> None:
    """Type, metadata, class and headers; the name as it was given, whatever stands in it."""
    name = "described/ä b+c%2F?.mp4"
    place = at(
        emulator,
        name,
        metadata={"shot": "1"},
        storage_class="NEARLINE",
        cache_control="no-store",
        content_language="de",
    )
    result = upload(place)

    assert (result.outcome, result.location) == (Outcome.DONE, f"gs://films/{name}")
    found = emulator.resource(name)
    assert found is not None
    assert found["contentType"] == "video/mp4"
    assert found["metadata"] == {"shot": "1"}
    assert (found["storageClass"], found["cacheControl"]) == ("NEARLINE", "no-store")
    assert found["contentLanguage"] == "de"
    assert result.fields["generation"] == found["generation"]
    assert [each.size for each in emulator.held(name)] == [film.stat().st_size]


@pytest.mark.parametrize("part_size", [ALIGNMENT, 2 * ALIGNMENT, 4 * ALIGNMENT])
def test_a_checked_object_is_verified(emulator: Emulator, upload: Upload, part_size: int) -> None:
    """The sums of its parts make the sum that the emulator took, with a session and without."""
    for plain in (True, False):
        fields = {} if plain else {"metadata": {"a": "b"}}
        name = f"checked/{part_size}-{plain}"
        result = upload(at(emulator, name, checksum=True, part_size=part_size, **fields))
        assert (result.outcome, result.error) == (Outcome.DONE, None)
        assert result.fields["checksum"] == "verified"


def test_a_known_sum_is_checked_by_the_server(
    emulator: Emulator, upload: Upload, film: Path
) -> None:
    """The right one is taken; a wrong one leaves no object."""
    right = written(google_crc32c.value(film.read_bytes()).to_bytes(4))
    assert upload(at(emulator, "known/right", crc32c=right)).outcome is Outcome.DONE
    result = upload(at(emulator, "known/wrong", crc32c="AAAAAA=="))
    assert result.outcome is Outcome.FAILED
    assert emulator.held("known/wrong") == []


def test_what_is_there_is_not_overwritten(emulator: Emulator, upload: Upload) -> None:
    """With `if_generation_match=0` the second upload is refused, and says why."""
    assert upload(at(emulator, "once", if_generation_match=0)).outcome is Outcome.DONE
    result = upload(at(emulator, "once", if_generation_match=0, metadata={"again": "1"}))
    assert result.outcome is Outcome.FAILED
    assert isinstance(result.error, RejectedError)
    assert result.error.vendor_code == "conditionNotMet"
    assert result.error.hints


def test_a_missing_bucket_is_told(emulator: Emulator, upload: Upload) -> None:
    """As a rejection, for both ways of uploading."""
    for fields in ({}, {"metadata": {"a": "b"}}, {"part_size": 4 * ALIGNMENT}):
        place = GcsObject(
            "no-such-bucket",
            "a",
            access_token=emulator.token,
            endpoint_url=emulator.url,
            **fields,
        )
        result = upload(place)
        assert result.outcome is Outcome.FAILED
        assert isinstance(result.error, RejectedError)
        assert result.error.status == 404


def test_without_a_credential_the_refusal_is_told(emulator: Emulator, upload: Upload) -> None:
    """Anonymous where a token is wanted."""
    result = upload(at(emulator, "anonymous", access_token=None, anonymous=True))
    assert isinstance(result.error, AuthenticationError)
    assert emulator.held("anonymous") == []


def test_a_chunk_that_broke_off_goes_on_where_it_broke(
    emulator: Emulator, upload: Upload, film: Path
) -> None:
    """The server is asked, and what it says that it kept is not sent again."""
    whole = Held("broken", SIZE, hashlib.sha256(film.read_bytes()).hexdigest())
    with FaultyProxy(emulator.url) as proxy:
        proxy.script(Fault(number=2, act=ResetAfter(100_000)))
        result = upload(
            at(emulator, "broken", part_size=2 * ALIGNMENT, endpoint_url=proxy.base_url)
        )
    assert result.outcome is Outcome.DONE
    assert emulator.held("broken") == [whole]
    ranges = [each.ranges.get("content-range", "") for each in proxy.exchanges]
    asked = ranges.index(f"bytes */{SIZE}")
    assert asked > 0
    begun = int(ranges[asked + 1].removeprefix("bytes ").partition("-")[0])
    assert 0 <= begun <= 100_000  # what broke off may reach the server after the question


def test_a_gs_address_is_a_place(emulator: Emulator, upload: Upload) -> None:
    """What a command is given by URL arrives there."""
    fields = {**GCS.locate("gs://films/by/address.mp4"), "endpoint_url": emulator.url}
    assert upload(GCS.destination(Secret(emulator.token), fields)).outcome is Outcome.DONE
    assert len(emulator.held("by/address.mp4")) == 1


def test_the_emulator_as_it_is_takes_chunks(tmp_path: Path, upload: Upload, film: Path) -> None:
    """Unmended, it takes whole uploads; that it says "one byte" of none is why it is mended."""
    with Emulator(tmp_path / "log", mended=False) as emulator:
        place = at(emulator, "a", access_token=None, anonymous=True)
        assert upload(place).outcome is Outcome.DONE
        assert [each.size for each in emulator.held("a")] == [SIZE]
        flows = place.transport()
        with Uploader(metrics=False) as uploader:
            spec = _spec(SIZE)
            session = uploader.call(place, "create", lambda: flows.create(spec))
            told = uploader.call(place, "query", lambda: flows.query(session))
        assert told.offset == 1


def _spec(size: int) -> Any:
    return UploadSpec(size, "video/mp4", Plan(size, ALIGNMENT, -(-size // ALIGNMENT)))


def test_a_host_elsewhere_gets_no_byte(emulator: Emulator, upload: Upload) -> None:
    """A session URI that leads away from the endpoint ends the upload; nothing was sent there."""
    with FaultyProxy(emulator.url, keep_host=False) as proxy:
        away = {"Location": "https://storage.evil.example/?upload_id=x"}
        proxy.script(Fault(number=1, act=Answer(200, headers=away)))
        result = upload(at(emulator, "away", endpoint_url=proxy.base_url))
    assert result.outcome is Outcome.FAILED
    assert isinstance(result.error, ProtocolError)
    assert len(proxy.exchanges) == 1
