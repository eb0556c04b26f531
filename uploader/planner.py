"""Cut a file so that it fits a destination's limits.

Rule: pure arithmetic on sizes in bytes; a plan that would break a limit is a `PlanError`.
"""

from __future__ import annotations

from uploader.errors import PlanError
from uploader.model import Plan
from uploader.transport import Capabilities, TailRule


def plan(size: int, capabilities: Capabilities) -> Plan:
    """Return the plan with the fewest parts of about `capabilities.part_size` bytes.

    Merged tails are spread evenly: the part size becomes `size // count`, so that the last part is
    longer by fewer bytes than there are parts. Where tails are short, parts grow beyond the size
    wanted rather than pass the number allowed.
    """
    _check_size(size, capabilities)
    alignment = capabilities.alignment
    least = _up(capabilities.min_part, alignment)
    wanted = max(least, capabilities.part_size // alignment * alignment)
    if size <= capabilities.max_single and size <= max(wanted, 2 * capabilities.min_part - 1):
        return Plan(size, size, 1)
    match capabilities.tail:
        case TailRule.MERGED:
            # Spreading the tail evenly must not push a part below the smallest that is allowed.
            most = max(2, min(size // least, capabilities.max_parts))
            count = min(most, max(2, -(-size // wanted)))
            even = max(least, size // count // alignment * alignment)
            return _checked(Plan(size, even, count), capabilities)
        case TailRule.SHORT:
            grown = max(wanted, _up(-(-size // capabilities.max_parts), alignment))
            return _checked(Plan(size, grown, -(-size // grown)), capabilities)


def cut(size: int, part_size: int, capabilities: Capabilities) -> Plan:
    """Return the plan with parts of exactly `part_size` bytes; only the last one may differ."""
    _check_size(size, capabilities)
    if part_size < 1:
        raise PlanError(f"a part size of {part_size:,} bytes cuts nothing: at least 1 is needed")
    if part_size >= size:
        if size > capabilities.max_single:
            raise PlanError(
                f"one part of {size:,} bytes is over the {capabilities.max_single:,} bytes"
                " that a single part may have"
            )
        return Plan(size, size, 1)
    match capabilities.tail:
        case TailRule.MERGED:
            count = size // part_size
        case TailRule.SHORT:
            count = -(-size // part_size)
    return _checked(Plan(size, part_size, count), capabilities)


def fits(plan: Plan, size: int) -> Plan:
    """Return a cut that the server dictated, or raise `PlanError` when it is not of this file."""
    if plan.size != size:
        raise PlanError(f"the server cuts {plan.size:,} bytes, the file has {size:,}")
    return plan


def _up(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment


def _check_size(size: int, capabilities: Capabilities) -> None:
    if size < 1:
        raise PlanError("the file is empty: 0 bytes")
    if size > capabilities.max_size:
        raise PlanError(
            f"the file has {size:,} bytes, the destination takes {capabilities.max_size:,}"
        )


def _checked(plan: Plan, limits: Capabilities) -> Plan:
    if plan.count == 1:
        raise _single(plan, limits)
    if not limits.min_part <= plan.part_size <= limits.max_part:
        raise PlanError(
            f"a part size of {plan.part_size:,} bytes is outside"
            f" {limits.min_part:,} to {limits.max_part:,}"
        )
    if plan.part_size % limits.alignment:
        raise PlanError(
            f"a part size of {plan.part_size:,} bytes is no multiple of {limits.alignment:,}"
        )
    if plan.count > limits.max_parts:
        raise PlanError(
            f"{plan.count:,} parts of {plan.part_size:,} bytes are more than {limits.max_parts:,}"
        ).hint(f"use a part size of at least {-(-plan.size // limits.max_parts):,} bytes")
    if plan.last_length > limits.max_last_part:
        raise PlanError(
            f"the last part of {plan.last_length:,} bytes is over {limits.max_last_part:,}"
        )
    return plan


def _single(plan: Plan, limits: Capabilities) -> PlanError:
    """Say why a part size that leaves one part, which is longer than it, is no cut."""
    error = PlanError(
        f"a part size of {plan.part_size:,} bytes leaves a single part for {plan.size:,} bytes"
    )
    if plan.size <= limits.max_single:
        return error.hint(f"a single part is declared by its own size: {plan.size:,} bytes")
    return error.hint(
        f"it must be several: at most {limits.max_single:,} bytes may go as one;"
        f" use a part size of at most {plan.size // 2:,} bytes"
    )
