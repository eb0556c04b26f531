"""The written rules, as pure functions."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sandbox.client import order
from transports.tiktok.sandbox import Switches
from transports.tiktok.sandbox.rules import (
    COUNT_MESSAGE,
    SIZE_MESSAGE,
    ApiRefusal,
    cut_fault,
    read_order,
    read_range,
    unknown_fields,
)

MIB = 1 << 20
STRICT = Switches()


@pytest.mark.parametrize(
    ("size", "chunk", "count"),
    [
        (50_000_123, 10_000_000, 5),  # the guide's worked example: the last chunk carries 123
        (52_428_800, 5_242_880, 10),
        (4_194_304, 4_194_304, 1),  # the guide's whole-file example
        (1, 1, 1),
        (64_000_000, 64_000_000, 1),
        (158_008_374, 5_242_880, 30),  # seen to be accepted
        (70_000_000, 10_485_760, 6),
        (4_000_000_000, 64_000_000, 62),
        (4_000_000_000, 5_242_880, 762),
    ],
)
def test_a_legal_cut_is_accepted(size: int, chunk: int, count: int) -> None:
    """Cuts of the documentation and of production pass."""
    assert cut_fault(size, chunk, count, STRICT) is None


@pytest.mark.parametrize(
    ("size", "chunk", "count", "message"),
    [
        (50_000_123, 10_000_000, 6, COUNT_MESSAGE),  # ceil instead of floor
        (50_000_123, 10_000_000, 4, COUNT_MESSAGE),
        (1000, 2000, 1, COUNT_MESSAGE),
        (1000, 2000, 0, SIZE_MESSAGE),
        (121_000_000, 64_000_000, 1, SIZE_MESSAGE),  # one chunk must be the video
        (158_008_374, 158_008_374, 1, SIZE_MESSAGE),  # over 64 MB in one piece
        (64_000_001, 64_000_001, 1, SIZE_MESSAGE),
        (10_485_758, 5_242_879, 2, SIZE_MESSAGE),  # below 5 MiB
        (10_000_000, 5_000_000, 2, SIZE_MESSAGE),  # 5 MB are fewer than 5 MiB
        (128_000_002, 64_000_001, 2, SIZE_MESSAGE),
        (2_000, 1_000, 2, SIZE_MESSAGE),
    ],
)
def test_an_illegal_cut_is_refused(size: int, chunk: int, count: int, message: str) -> None:
    """Each wrong cut gets the message that the real service was seen to send."""
    assert cut_fault(size, chunk, count, STRICT) == message


def test_more_than_a_thousand_chunks_are_refused() -> None:
    """1001 chunks are too many in any unit that could hold them."""
    switches = Switches(megabyte="binary")
    assert cut_fault(1001 * 4_290_673, 4_290_673, 1001, switches) == SIZE_MESSAGE


@pytest.mark.parametrize(("unit", "limit"), [("strict", 4 * 10**9), ("binary", 4 << 30)])
def test_the_size_limit_follows_the_unit(unit: Any, limit: int) -> None:
    """4 GB are 4,000,000,000 bytes, or 4 GiB in the binary reading."""
    chunk = 60_000_000
    switches = Switches(megabyte=unit)
    assert cut_fault(limit, chunk, limit // chunk, switches) is None
    assert "video size" in (cut_fault(limit + 1, chunk, limit // chunk, switches) or "")


@pytest.mark.parametrize(
    ("unit", "smallest", "largest"),
    [
        ("strict", 5 * MIB, 64_000_000),
        ("decimal", 5_000_000, 64_000_000),
        ("binary", 5 * MIB, 64 * MIB),
    ],
)
def test_the_unit_of_a_megabyte_is_a_switch(unit: Any, smallest: int, largest: int) -> None:
    """The bounds of a chunk are those of the chosen unit, to the byte."""
    switches = Switches(megabyte=unit)
    for chunk in (smallest, largest):
        assert cut_fault(2 * chunk, chunk, 2, switches) is None
    for chunk in (smallest - 1, largest + 1):
        assert cut_fault(2 * chunk, chunk, 2, switches) == SIZE_MESSAGE
    assert cut_fault(largest, largest, 1, switches) is None
    assert cut_fault(largest + 1, largest + 1, 1, switches) == SIZE_MESSAGE


def test_the_one_chunk_rule_is_a_switch() -> None:
    """Before August 2026 one chunk could be declared smaller than the video."""
    old = Switches(one_chunk_rule=False)
    assert cut_fault(121_000_000, 64_000_000, 1, old) is None
    assert cut_fault(127_999_999, 64_000_000, 1, old) is None
    assert cut_fault(4_000_000, 3_000_000, 1, old) == SIZE_MESSAGE
    assert cut_fault(158_008_374, 158_008_374, 1, old) == SIZE_MESSAGE


def test_which_message_wins_is_a_switch() -> None:
    """With count and size both wrong, either message may come first."""
    wrong = (50_000_000, 1_000_000, 40)
    assert cut_fault(*wrong, STRICT) == COUNT_MESSAGE
    assert cut_fault(*wrong, Switches(message_precedence="size")) == SIZE_MESSAGE
    assert (
        cut_fault(50_000_000, 10_000_000, 4, Switches(message_precedence="size")) == COUNT_MESSAGE
    )


@given(st.integers(1, 4 * 10**9), st.integers(1, 70_000_000))
def test_an_accepted_cut_keeps_every_documented_bound(size: int, chunk: int) -> None:
    """Whatever passes is inside floor, 5 MiB to 64 MB, 128 MB and 1000, in both units."""
    count = size // chunk
    if cut_fault(size, chunk, count, STRICT) is None:
        last = size - (count - 1) * chunk
        assert 1 <= count <= 1000
        assert chunk == size or 5 * MIB <= chunk <= 64_000_000
        assert last <= 128_000_000
        assert count == 1 or last < 2 * chunk


# -- init ----------------------------------------------------------------------------------------


def refusal(body: Any, switches: Switches = STRICT, *, private: bool = False) -> str:
    """Return the code of the refusal that must come."""
    with pytest.raises(ApiRefusal) as caught:
        read_order(body, switches, private=private)
    return caught.value.code


def without(body: Any, *path: str) -> Any:
    """Return the body without one field."""
    inner = body
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return body


@pytest.mark.parametrize(
    "path",
    [
        ("post_info",),
        ("source_info",),
        ("source_info", "source"),
        ("source_info", "video_size"),
        ("source_info", "chunk_size"),
        ("source_info", "total_chunk_count"),
    ],
)
def test_a_required_field_is_required(path: tuple[str, ...]) -> None:
    """What the reference marks as required cannot be left out."""
    assert refusal(without(order(), *path)) == "invalid_params"


@pytest.mark.parametrize("value", ["1000", 1000.0, True, 0, -1, 2**63, None])
@pytest.mark.parametrize("field", ["video_size", "chunk_size", "total_chunk_count"])
def test_sizes_are_positive_int64(field: str, value: object) -> None:
    """Strings, floats, booleans and numbers out of range are no sizes."""
    body = order()
    body["source_info"][field] = value
    assert refusal(body) == "invalid_params"


@pytest.mark.parametrize(
    "field",
    [
        "disable_duet",
        "disable_stitch",
        "disable_comment",
        "brand_content_toggle",
        "brand_organic_toggle",
        "is_aigc",
    ],
)
def test_toggles_are_booleans(field: str) -> None:
    """A toggle is true or false, not a word or a number."""
    for value in ("false", 0, None):
        changed: dict[str, Any] = {field: value}
        assert refusal(order(**changed)) == "invalid_params"
    for value in (True, False):
        read_order(
            order(privacy_level="MUTUAL_FOLLOW_FRIENDS", **{field: value}), STRICT, private=False
        )


def test_a_title_has_at_most_2200_utf16_units() -> None:
    """An emoji counts twice."""
    read_order(order(title="\N{VIDEO CAMERA}" * 1100), STRICT, private=False)
    assert refusal(order(title="\N{VIDEO CAMERA}" * 1100 + "x")) == "invalid_params"
    assert refusal(order(title="x" * 2201)) == "invalid_params"
    assert refusal(order(title=7)) == "invalid_params"
    assert read_order(order(title="\ud83d" * 2200), STRICT, private=False).title


def test_a_cover_time_is_an_integer() -> None:
    """Its value is TikTok's business, its type is not."""
    read_order(order(video_cover_timestamp_ms=10**9), STRICT, private=False)
    assert refusal(order(video_cover_timestamp_ms="1")) == "invalid_params"


def test_a_privacy_level_must_be_one_of_the_creators_options() -> None:
    """An unknown level is invalid; a level of other creators, or none, is a mismatch."""
    mismatch = "privacy_level_option_mismatch"
    assert refusal(order(privacy_level="public")) == "invalid_params"
    assert refusal(without(order(), "post_info", "privacy_level")) == mismatch
    assert refusal(order(privacy_level="FOLLOWER_OF_CREATOR")) == mismatch
    assert refusal(order(privacy_level="PUBLIC_TO_EVERYONE"), private=True) == mismatch
    read_order(order(privacy_level="FOLLOWER_OF_CREATOR"), STRICT, private=True)


def test_an_unaudited_client_is_restricted() -> None:
    """Only private accounts, only SELF_ONLY."""
    unaudited = Switches(audited=False)
    code = "unaudited_client_can_only_post_to_private_accounts"
    assert refusal(order(), unaudited) == code
    body = order(privacy_level="MUTUAL_FOLLOW_FRIENDS")
    assert refusal(body, unaudited, private=True) == "privacy_level_option_mismatch"
    read_order(order(), unaudited, private=True)


def test_branded_content_for_oneself_is_a_switch() -> None:
    """The guideline forbids the pair; what the API says is open."""
    body = order(brand_content_toggle=True)
    assert refusal(body) == "invalid_params"
    read_order(body, Switches(branded_self_only="accepted"), private=False)


def test_required_brand_toggles_are_a_switch() -> None:
    """The table requires them, the examples omit them."""
    strict = Switches(brand_toggles_required=True)
    assert refusal(order(), strict) == "invalid_params"
    read_order(order(brand_content_toggle=False, brand_organic_toggle=False), strict, private=False)


def test_the_spelling_of_invalid_param_is_a_switch() -> None:
    """On the wire it has an s, in the endpoint's own table it has none."""
    assert refusal({}, Switches(invalid_param="invalid_param")) == "invalid_param"


def test_other_sources_are_refused() -> None:
    """The sandbox has no verified prefix to pull from."""
    body = order()
    body["source_info"] = {"source": "PULL_FROM_URL", "video_url": "https://example.com/clip.mp4"}
    assert refusal(body) == "url_ownership_unverified"
    body["source_info"]["source"] = "UPLOAD"
    assert refusal(body) == "invalid_params"


def test_unknown_fields_are_found() -> None:
    """A misspelt field would be silently ignored by the real service."""
    body = order(disable_comments=True) | {"extra": 1}
    assert unknown_fields(body) == ["extra", "post_info.disable_comments"]
    assert unknown_fields(order(is_aigc=True, video_cover_timestamp_ms=1)) == []


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes 0-9",
        "bytes 0-9/*",
        "bytes */10",
        "bytes=0-9/10",
        "bytes 9-0/10",
        "bytes 0-10/10",
        "bytes -1-9/10",
        "bytes 0-9/10 ",
        "bytes ٠-9/10",
        "octets 0-9/10",
    ],
)
def test_only_a_plain_content_range_is_read(header: str | None) -> None:
    """FIRST-LAST/TOTAL in ASCII digits, in order, inside the total."""
    assert read_range(header) is None
    assert read_range("bytes 0-9/10") == (0, 9, 10)


@pytest.mark.parametrize(
    "change",
    [
        {"megabyte": "mega"},
        {"upload_path": "/up"},
        {"stored_range_again": 200},
        {"uploaded_bytes_lag": -1},
        {"status_lag": -1},
        {"post_id_delay": -1},
        {"upload_url_seconds": 0},
        {"upload_host": ""},
    ],
)
def test_a_switch_refuses_what_it_does_not_know(change: Any) -> None:
    """A misspelt choice must not silently mean the default."""
    with pytest.raises(ValueError, match=next(iter(change))):
        Switches(**change)
