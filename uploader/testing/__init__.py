"""Suites that third parties hold their own plug-ins to.

Rule: for test runs only; nothing else of the package imports it. It may import pytest.
"""

import pytest

pytest.register_assert_rewrite(
    *(f"{__name__}.{suite}" for suite in ("journals", "journal_frame", "journal_keeping")),
    *(f"{__name__}.{suite}" for suite in ("journal_leases", "journal_records")),
)
