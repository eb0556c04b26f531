"""Every cut of every file keeps every rule of TikTok's media transfer guide, in all readings.

The rules are written down here once more, from the guide and not from the limits that the planner
obeys: https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide
"""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transports.tiktok.limits import TikTokLimits
from uploader import planner
from uploader.errors import ConfigurationError, PlanError
from uploader.model import Plan
from uploader.transport import Capabilities

# "5 MB" is at most 5 MiB and "64 MB" at least 64,000,000 bytes: inside both readings of each.
SMALLEST, LARGEST = 5_242_880, 64_000_000
LARGEST_LAST, LARGEST_SINGLE = 128_000_000, 64_000_000
MOST = 1000
LIMIT = 4_000_000_000
SIZES = 110_000

STEADY = settings(deadline=None, derandomize=True, database=None)
sizes = st.integers(1, LIMIT)
chunk_sizes = st.integers(SMALLEST, LARGEST)


RULES = (
    "the plan is of another size",
    "floor(video_size / chunk_size) is the count",
    "floor(video_size / count) is the chunk size",
    "1 to 1000 chunks",
    "a chunk is 5 MB to 64 MB",
    "a single chunk is the whole video, of at most 64 MB",
    "the last chunk is no shorter than the others and at most 128 MB",
    "the ranges begin at 0, end at the size, and the last one begins where the others end",
)


def broken_rules(size: int, plan: Plan, *, even: bool) -> list[str]:
    """Name the rules that a plan breaks; `even` asks for the older page's formula as well."""
    chunk, count = plan.part_size, plan.count
    last = plan.part(count - 1)
    kept = (
        plan.size == size,
        size // chunk == count,
        not even or size // count == chunk,
        1 <= count <= MOST,
        count == 1 or SMALLEST <= chunk <= LARGEST,
        count > 1 or chunk == size <= LARGEST_SINGLE,
        chunk <= last.length <= LARGEST_LAST,
        last.start == (count - 1) * chunk and last.start + last.length == size,
    )
    return [] if all(kept) else [rule for rule, held in zip(RULES, kept, strict=True) if not held]


def assert_contiguous(plan: Plan) -> None:
    """Walk over all parts: no gap, no overlap, each but the last of the chunk's size."""
    position = 0
    for index, part in enumerate(plan):
        assert (part.index, part.start) == (index, position)
        assert part.length == (plan.part_size if index < plan.count - 1 else plan.last_length)
        position = part.stop
    assert position == plan.size


def worth_trying() -> Iterator[int]:
    """Yield sizes where formulas break: around the limits, and around multiples of chunk sizes."""
    near = (-2, -1, 0, 1, 2)
    for edge in (1, 3, SMALLEST, 2 * SMALLEST, LARGEST, LARGEST_LAST, LIMIT, 2**31, 2**32):
        yield from (edge + step for step in near)
    for chunk in (SMALLEST, SMALLEST + 1, 6_000_000, 10_000_000, 10 << 20, LARGEST - 1, LARGEST):
        for multiple in range(1, LIMIT // chunk + 2):
            yield from (multiple * chunk + step for step in near)


def many_sizes(seed: int) -> list[int]:
    """Return at least 100,000 legal sizes: the awkward ones, then random ones of any magnitude."""
    chance = random.Random(seed)
    found = {size for size in worth_trying() if 1 <= size <= LIMIT}
    while len(found) < SIZES:
        found.add(chance.randint(1, 10 ** chance.randint(1, 9) * 4))
        found.add(chance.randint(1, LIMIT))
    return sorted(found)


def some_capabilities(seed: int) -> list[Capabilities]:
    """Return the default's and many other legal chunk sizes' capabilities."""
    chance = random.Random(seed)
    wanted = [SMALLEST, SMALLEST + 1, 5_999_999, 6_000_000, 10_000_000, LARGEST - 1, LARGEST]
    wanted += [chance.randint(SMALLEST, LARGEST) for _ in range(300)]
    return [TikTokLimits().capabilities(chunk) for chunk in wanted]


def test_every_plan_of_over_a_hundred_thousand_sizes_keeps_every_rule() -> None:
    """Whatever the size and the legal chunk size, the planned cut breaks no rule in any reading."""
    default, others = TikTokLimits().capabilities(), some_capabilities(1)
    chosen = many_sizes(2)
    assert len(chosen) > 100_000
    for number, size in enumerate(chosen):
        for capabilities in (default, others[number % len(others)]):
            plan = planner.plan(size, capabilities)
            if broken := broken_rules(size, plan, even=True):
                pytest.fail(f"{size} by {capabilities.part_size}: {plan} breaks {broken}")
        if number % 200 == 0:
            assert_contiguous(plan)


def test_every_exact_cut_keeps_every_rule_or_is_refused_with_numbers() -> None:
    """A cut by exactly the size that was asked for is legal, or a PlanError with the numbers."""
    others = some_capabilities(3)
    refusals: list[tuple[int, int, str]] = []
    for number, size in enumerate(many_sizes(4)[::2]):
        capabilities = others[number % len(others)]
        wanted = capabilities.part_size
        try:
            plan = planner.cut(size, wanted, capabilities)
        except PlanError as error:
            refusals.append((size, wanted, error.message))
            continue
        assert plan.count == 1 or plan.part_size == wanted
        if broken := broken_rules(size, plan, even=False):
            pytest.fail(f"{size} by {wanted}: {plan} breaks {broken}")
    assert refusals
    for size, wanted, message in refusals:
        assert {f"{size:,}", f"{wanted:,}"} <= set(message.split())
        assert wanted < size < 2 * wanted, "refused although it could be cut"


@STEADY
@given(size=sizes, chunk_size=chunk_sizes)
def test_a_plan_covers_the_file(size: int, chunk_size: int) -> None:
    """The parts of a plan follow each other from the first byte to the last."""
    plan = planner.plan(size, TikTokLimits().capabilities(chunk_size))
    assert not broken_rules(size, plan, even=True)
    assert_contiguous(plan)


@STEADY
@given(size=st.integers(-10, 2 * LIMIT), part_size=st.integers(-10, 2 * LARGEST_LAST))
def test_a_cut_by_any_number_is_legal_or_a_plan_error(size: int, part_size: int) -> None:
    """Nonsense in either number is a PlanError, never another exception and never a bad cut."""
    try:
        plan = planner.cut(size, part_size, TikTokLimits().capabilities())
    except PlanError:
        return
    assert not broken_rules(size, plan, even=False)


@pytest.mark.parametrize("part_size", [0, -1, -5_242_880])
def test_a_part_size_below_one_is_refused(part_size: int) -> None:
    """A part size of nothing is the caller's mistake, said with the number."""
    with pytest.raises(PlanError, match=f"{part_size:,}"):
        planner.cut(50_000_123, part_size, TikTokLimits().capabilities())


@pytest.mark.parametrize(
    ("size", "hint"),
    [(6_364_381, "by its own size: 6,364,381 bytes"), (120_000_000, "at most 60,000,000 bytes")],
)
def test_a_cut_that_leaves_one_part_says_what_to_do(size: int, hint: str) -> None:
    """One part that is longer than the part size is refused, and the hint fits the size."""
    with pytest.raises(PlanError, match=f"{size:,}") as caught:
        planner.cut(size, 64_000_000 if size > LARGEST else SMALLEST, TikTokLimits().capabilities())
    assert hint in caught.value.hints[0]


@pytest.mark.parametrize("chunk_size", [1, SMALLEST - 1, LARGEST + 1, 128_000_000, 0, -1])
def test_a_chunk_size_outside_of_the_bounds_is_refused(chunk_size: int) -> None:
    """A chunk size that TikTok would refuse is refused here, with its bounds."""
    with pytest.raises(ConfigurationError, match=r"5,242,880 to 64,000,000"):
        TikTokLimits().capabilities(chunk_size)


@pytest.mark.parametrize("size", [LIMIT + 1, 2**32, 10**12])
def test_a_file_over_the_limit_is_refused(size: int) -> None:
    """Over 4,000,000,000 bytes no plan is made."""
    with pytest.raises(PlanError, match=r"4,000,000,000"):
        planner.plan(size, TikTokLimits().capabilities())


@pytest.mark.parametrize("size", [0, -1])
def test_an_empty_file_is_refused(size: int) -> None:
    """There is no plan for no bytes."""
    with pytest.raises(PlanError, match="empty"):
        planner.plan(size, TikTokLimits().capabilities())


@pytest.mark.parametrize(
    ("size", "chunk_size", "count", "last"),
    [
        (50_000_123, 10_000_000, 5, (40_000_000, 50_000_122)),
        (52_428_800, 5_242_880, 10, (47_185_920, 52_428_799)),
        (4_194_304, 5_242_880, 1, (0, 4_194_303)),
        (158_008_374, 5_242_880, 30, (152_043_520, 158_008_373)),
        (70 << 20, 10 << 20, 7, (60 << 20, (70 << 20) - 1)),
    ],
)
def test_the_known_examples_are_cut_as_known(
    size: int, chunk_size: int, count: int, last: tuple[int, int]
) -> None:
    """The guide's own example, and cuts that were accepted in production, come out as they are."""
    plan = planner.cut(size, chunk_size, TikTokLimits().capabilities())
    final = plan.part(plan.count - 1)
    assert (plan.count, (final.start, final.stop - 1)) == (count, last)


@pytest.mark.parametrize("size", [64_000_001, 66_260_000, 84_000_000, 121_000_000, 127_999_999])
def test_a_video_just_over_64_mb_is_never_a_single_chunk(size: int) -> None:
    """Sizes that floor to one chunk of 64 MB are cut in two: TikTok refuses the single one."""
    assert planner.plan(size, TikTokLimits().capabilities()).count == 2
