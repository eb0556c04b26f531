"""Suites that third parties hold their own plug-ins to, and the proxy that they are tried through.

Rule: for test runs only; nothing else of the package imports it. It may import pytest, and the
suite for transports hypothesis.
"""

import pytest

pytest.register_assert_rewrite(
    *(f"{__name__}.{suite}" for suite in ("journals", "journal_frame", "journal_keeping")),
    *(f"{__name__}.{suite}" for suite in ("journal_leases", "journal_records")),
    *(f"{__name__}.transport_{suite}" for suite in ("declared", "faults", "flows", "frame")),
    *(f"{__name__}.transport_{suite}" for suite in ("kills", "secrets", "uploads")),
)
