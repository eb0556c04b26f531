"""What plain HTTP says about an answer, whoever gave it.

Rule: pure; what a server says in its own words is the destination's.
"""

from __future__ import annotations

from uploader.http import Response


def retry_after(response: Response) -> float | None:
    """Return the header's seconds; a date or nonsense counts as none."""
    try:
        seconds = float(response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < 86_400 else None
