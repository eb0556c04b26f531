"""Suites that third parties hold their own plug-ins to.

Rule: for test runs only; nothing else of the package imports it. It may import pytest.
"""
