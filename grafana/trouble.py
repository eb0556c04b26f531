"""Rows of the operator's dashboard that say why all is not well.

Rule: rates are shown an hour: a retry an hour is easier to judge than 0.0003 a second.
"""

from __future__ import annotations

from grafana.panels import RED, YELLOW, Panel, Query, Row
from grafana.promql import (
    FAILED_PARTS,
    HERE,
    LIMITED,
    NOT_2XX,
    NOW,
    OF,
    SHOWN,
    quantile,
    rate,
    stages,
)


def _latency(title: str, metric: str, text: str, by: str = "transport") -> Panel:
    legend = " ".join(f"{{{{{label}}}}}" for label in by.split(", "))
    return Panel(
        title=title,
        help=text,
        queries=tuple(
            Query(quantile(q, metric, by), f"p{q * 100:.0f} {legend}") for q in (0.5, 0.95)
        ),
        unit="s",
        width=6,
    )


TROUBLE = Row(
    "Trouble",
    (
        Panel(
            title="Retries by cause",
            help="What was tried again, an hour, and what had gone wrong.",
            queries=(
                Query(
                    f"3600 * {rate('retries_total', 'operation, error')}",
                    "{{operation}}: {{error}}",
                ),
            ),
            unit="none",
            stack=True,
            runbook="uploaderretries",
        ),
        Panel(
            title="Requests that did not succeed",
            help="Requests an hour, by status or by the error of the network.",
            queries=(
                Query(
                    f"3600 * {rate('requests_total', 'operation, outcome', where=NOT_2XX)}",
                    "{{operation}}: {{outcome}}",
                ),
            ),
            unit="none",
            stack=True,
            runbook="uploaderretries",
        ),
        Panel(
            title="Parts that failed",
            help="The share of attempts at parts that failed.",
            queries=(
                Query(
                    f"{rate('parts_total', 'transport', where=FAILED_PARTS)}"
                    f" / {rate('parts_total', 'transport')}",
                    "{{transport}}",
                ),
            ),
            unit="percentunit",
            highest=1,
            thresholds=((0.05, YELLOW), (0.2, RED)),
            runbook="uploaderwaste",
        ),
        Panel(
            title="Rate limits",
            help="Answers of a destination that it was asked too often, an hour.",
            queries=(
                Query(
                    f"3600 * {rate('retries_total', 'transport, operation', where=LIMITED)}",
                    "{{transport}} {{operation}}",
                ),
            ),
            unit="none",
            width=6,
            runbook="uploaderratelimited",
        ),
        Panel(
            title="Waits",
            help="Seconds that uploads wait per second: before retries, which is where rate limits"
            " are waited out, and for this process's own lanes and bandwidth.",
            queries=(
                Query(rate("retry_wait_seconds_sum", "operation"), "retry of {{operation}}"),
                Query(rate("limit_wait_seconds_sum", "operation"), "own limit: {{operation}}"),
            ),
            unit="none",
            width=6,
            runbook="uploaderratelimited",
        ),
        Panel(
            title="Asked what the server holds",
            help="Resyncs an hour: each follows a lost answer or a mismatch.",
            queries=(Query(f"3600 * {rate('resyncs_total', 'transport')}", "{{transport}}"),),
            unit="none",
            width=6,
        ),
        Panel(
            title="Read, not mapped",
            help="Files an hour that were read through buffers: open for writing somewhere, or on a"
            " file system without leases. Slower and warmer, but right.",
            queries=(
                Query(f"3600 * {rate('source_fallbacks_total', 'transport')}", "{{transport}}"),
            ),
            unit="none",
            width=6,
            runbook="uploaderfallbacks",
        ),
    ),
)

TIMES = Row(
    "Where the time goes",
    (
        _latency(
            "Runs", "upload_duration_seconds", "From the start of a run to its end.", "outcome"
        ),
        _latency("Parts", "part_duration_seconds", "From a part's first try to its confirmation."),
        _latency("Requests", "request_duration_seconds", "Each HTTP request.", "operation"),
        _latency(
            "Processing",
            "processing_duration_seconds",
            "From the last confirmed byte to the destination's final word.",
        ),
        Panel(
            title="Stages",
            help="Seconds that all uploads together spend in each stage, per second. Parts include"
            " their retries and waits; calls are all requests but PUTs.",
            queries=(Query(stages(NOW), "{{stage}}"),),
            unit="none",
            width=12,
            runbook="uploaderslow",
        ),
        Panel(
            title="Stages, over the time shown",
            help="The same, averaged: the longest bar is the slowest stage.",
            queries=(Query(f"sort_desc({stages(SHOWN)})", "{{stage}}"),),
            unit="none",
            shape="bargauge",
            width=12,
            runbook="uploaderslow",
        ),
    ),
)

KEEPING = Row(
    "Journal and accounts",
    (
        Panel(
            title="Journal",
            help="Uploads in the journal by state. Processes that share a journal tell the same.",
            queries=(
                Query(
                    "max by (state)"
                    f' (uploader_journal_uploads{{{HERE},state!~"done|failed|cancelled"}})',
                    "{{state}}",
                ),
            ),
            unit="none",
            width=6,
            runbook="uploaderstale",
        ),
        Panel(
            title="Oldest in its state",
            help="Since the last change of the upload that waited longest.",
            queries=(
                Query(
                    "max by (state)"
                    f' (uploader_journal_oldest_seconds{{{HERE},state!~"done|failed|cancelled"}})',
                    "{{state}}",
                ),
            ),
            unit="s",
            width=6,
            thresholds=((3600, RED),),
            runbook="uploaderstale",
        ),
        Panel(
            title="Journal trouble",
            help="Calls an hour that the journal failed, and runs that found their upload held by"
            " another.",
            queries=(
                Query(
                    "3600 * sum by (operation)"
                    f" (rate(uploader_journal_errors_total{{{HERE}}}{NOW}))",
                    "failed {{operation}}",
                ),
                Query(f"3600 * sum(rate(uploader_lease_conflicts_total{{{HERE}}}{NOW}))", "held"),
            ),
            unit="none",
            width=6,
            thresholds=((1, RED),),
            runbook="uploaderjournalerrors",
        ),
        Panel(
            title="Held back",
            help="1 while uploads to a destination are paused, by the breaker too.",
            queries=(
                Query(f"max by (transport) (uploader_paused{{{OF}}})", "{{transport}}"),
                Query(
                    f"max by (transport) (uploader_breaker_open{{{OF}}})", "breaker {{transport}}"
                ),
            ),
            unit="none",
            highest=1,
            width=6,
            runbook="uploaderpaused",
        ),
        Panel(
            title="Accounts",
            help="Accounts that are known, by state.",
            queries=(Query(f"max by (state) (uploader_accounts{{{HERE}}})", "{{state}}"),),
            unit="none",
            stack=True,
            runbook="uploadertokens",
        ),
        Panel(
            title="Token refreshes",
            help="Access tokens asked for anew, an hour; anything but `refreshed` is an error.",
            queries=(
                Query(
                    f"3600 * {rate('token_refreshes_total', 'transport, outcome')}",
                    "{{transport}} {{outcome}}",
                ),
            ),
            unit="none",
            runbook="uploadertokens",
        ),
        Panel(
            title="Webhooks",
            help="Notices that destinations delivered, an hour, by what became of them.",
            queries=(
                Query(
                    f"3600 * {rate('webhooks_total', 'transport, outcome')}",
                    "{{transport}} {{outcome}}",
                ),
            ),
            unit="none",
            runbook="uploaderwebhooks",
        ),
    ),
)
