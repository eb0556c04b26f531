"""PromQL over the metrics of uploads, filtered by a dashboard's variables.

Rule: counters are read as rates or increases, histograms by their buckets; nothing is averaged that
was averaged before.
"""

from __future__ import annotations

HERE = 'job=~"$job",instance=~"$instance"'
OF = f'{HERE},transport=~"$transport"'
NOW = "[$__rate_interval]"
SHOWN = "[$__range]"

VERDICT = 'outcome=~"done|processing|failed|unknown"'
"""Runs that told something about the destination; the others were stopped by ourselves."""
GOOD = 'outcome=~"done|processing"'
NOT_2XX = 'outcome!~"2.."'
FAILED_PARTS = 'outcome="failed"'
LIMITED = 'error="rate_limited"'

STAGES = (
    ("parts", "part_duration_seconds_sum", OF),
    ("processing", "processing_duration_seconds_sum", OF),
    ("retry waits", "retry_wait_seconds_sum", OF),
    ("own limits", "limit_wait_seconds_sum", OF),
    ("calls", "request_duration_seconds_sum", f'{OF},operation!="put"'),
)
"""Where an upload's time goes. Parts include their retries; calls are all requests but PUTs."""


def rate(metric: str, by: str, *, where: str = "", over: str = NOW) -> str:
    """Return how fast a counter rises a second, summed by labels."""
    chosen = f"{OF},{where}" if where else OF
    return f"sum by ({by}) (rate(uploader_{metric}{{{chosen}}}{over}))"


def share(part: str, whole: str, by: str, over: str = NOW) -> str:
    """Return which share of the runs that ended are `part`, of those that are `whole`."""
    return (
        f"{rate('uploads_total', by, where=part, over=over)}"
        f" / {rate('uploads_total', by, where=whole, over=over)}"
    )


def quantile(q: float, metric: str, by: str = "", over: str = NOW) -> str:
    """Return what a share `q` of a histogram's observations does not exceed."""
    labels = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({q}, {rate(f'{metric}_bucket', labels, over=over)})"


def stages(over: str) -> str:
    """Return the seconds that all uploads together spend in each stage, per second."""
    each = (
        f'label_replace(sum(rate(uploader_{metric}{{{where}}}{over})), "stage", "{name}", "", "")'
        for name, metric, where in STAGES
    )
    return " or ".join(each)
