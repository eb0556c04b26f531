"""The programs of the Debian package `prometheus`, and what is said where they are missing."""

import shutil

import pytest

from grafana.prometheus import PROGRAMS

MISSING = [name for name in PROGRAMS if shutil.which(name) is None]
needs_prometheus = pytest.mark.skipif(
    bool(MISSING),
    reason=f"{', '.join(MISSING)} not on PATH: apt-get install --no-install-recommends prometheus",
)
