"""The table of metrics is what is counted, and nothing else is."""

import pytest
from prometheus_client import CollectorRegistry

from uploader.instruments.metrics import METRICS, metrics_for, watch_accounts, watch_paused
from uploader.instruments.metrics import watch_journal as watch
from uploader.instruments.table import LABELS, Kind, Metric
from uploader.journals.memory import MemoryJournal


def test_what_is_registered_is_what_the_table_lists() -> None:
    """Names, kinds and meanings in a registry are those of the table."""
    registry = CollectorRegistry()
    metrics_for(registry)
    watch(MemoryJournal(), registry)
    watch_accounts(lambda: {"active": 1}, registry)
    watch_paused(lambda: {"tiktok": False}, registry)
    kinds = {Kind.READ: "gauge"}
    listed = {
        (m.full_name.removesuffix("_total"), kinds.get(m.kind, str(m.kind)), m.help)
        for m in METRICS
    }
    assert {(m.name, m.type, m.documentation) for m in registry.collect()} == listed


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_keeps_the_rules(metric: Metric) -> None:
    """Few labels of known names, buckets that rise, units in names, counters that say total."""
    assert set(metric.labels) <= set(LABELS)
    assert len(set(metric.labels)) == len(metric.labels)
    assert (metric.kind is Kind.COUNTER) == metric.name.endswith("_total")
    assert (metric.kind is Kind.HISTOGRAM) == bool(metric.buckets)
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert metric.name.endswith("_seconds") or metric.kind is not Kind.HISTOGRAM
    assert metric.help[0].isupper() or metric.help[0].isdigit()
    assert not metric.help.endswith(".")


def test_names_are_listed_once() -> None:
    """No metric has two rows."""
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_long_uploads_fall_into_buckets() -> None:
    """An upload that takes three hours is told from one that takes one."""
    for metric in METRICS:
        if metric.name in {"upload_duration_seconds", "part_duration_seconds"}:
            assert metric.buckets[0] <= 0.1
            assert metric.buckets[-1] >= 3 * 3600
            assert {3600, 7200} <= set(metric.buckets)
