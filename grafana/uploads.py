"""The dashboard that an operator keeps open.

Rule: what says whether all is well is on top, why it is not comes below. Every panel says what its
numbers mean; one with a threshold leads to the runbook.
"""

from __future__ import annotations

from grafana.panels import GREEN, RED, YELLOW, Dashboard, Panel, Query, Row, Variable
from grafana.promql import GOOD, HERE, NOW, OF, SHOWN, VERDICT, quantile, rate, share, stages
from grafana.trouble import KEEPING, TIMES, TROUBLE

GLANCE = Row(
    "At a glance",
    (
        Panel(
            title="Success",
            help="Of the runs that ended in the time shown: DONE or PROCESSING, against FAILED and"
            " UNKNOWN too. Suspended and cancelled runs say nothing about the destination.",
            queries=(
                Query(
                    f"sum(increase(uploader_uploads_total{{{OF},{GOOD}}}{SHOWN}))"
                    f" / sum(increase(uploader_uploads_total{{{OF},{VERDICT}}}{SHOWN}))"
                ),
            ),
            unit="percentunit",
            highest=1,
            shape="stat",
            width=4,
            height=4,
            thresholds=((None, RED), (0.9, YELLOW), (0.98, GREEN)),
            runbook="uploaderfailures",
        ),
        Panel(
            title="Unknown, waiting",
            help="Uploads in the journal whose outcome nobody told us. Never send them again"
            " blindly: look, or resolve them.",
            queries=(Query(f'max(uploader_journal_uploads{{{HERE},state="unknown"}})'),),
            unit="none",
            shape="stat",
            width=4,
            height=4,
            thresholds=((1, RED),),
            runbook="uploaderunknownwaiting",
        ),
        Panel(
            title="In progress",
            help="Uploads that are driven now: sending, or asking how the destination gets on.",
            queries=(Query(f"sum(uploader_uploads_in_progress{{{OF}}})"),),
            unit="none",
            shape="stat",
            width=4,
            height=4,
        ),
        Panel(
            title="Slowest stage",
            help="Where uploads spend most of their time now, as seconds spent per second.",
            queries=(Query(f"topk(1, {stages(NOW)})", "{{stage}}"),),
            unit="none",
            shape="stat",
            width=4,
            height=4,
            runbook="uploaderslow",
        ),
        Panel(
            title="Oldest unfinished",
            help="Since the last change of the unfinished upload that waited longest.",
            queries=(
                Query(
                    f"max(uploader_journal_oldest_seconds{{{HERE},"
                    'state=~"queued|opening|sending|committing|processing"})'
                ),
            ),
            unit="s",
            shape="stat",
            width=4,
            height=4,
            thresholds=((1800, YELLOW), (3600, RED)),
            runbook="uploaderstale",
        ),
        Panel(
            title="Paused",
            help="Destinations to which uploads are held back.",
            queries=(Query(f"sum(max by (transport) (uploader_paused{{{OF}}}))"),),
            unit="none",
            shape="stat",
            width=4,
            height=4,
            thresholds=((1, YELLOW),),
            runbook="uploaderpaused",
        ),
    ),
)

FLOW = Row(
    "Throughput",
    (
        Panel(
            title="Sent and confirmed",
            help="Bytes of files that the kernel took, those sent again included, and bytes that"
            " destinations acknowledged, a part at a time.",
            queries=(
                Query(rate("sent_bytes_total", "transport"), "sent {{transport}}"),
                Query(rate("confirmed_bytes_total", "transport"), "confirmed {{transport}}"),
            ),
            unit="Bps",
            width=12,
            runbook="uploaderstalled",
        ),
        Panel(
            title="Sent in vain",
            help="The share of sent bytes that no destination acknowledged: parts sent again. It"
            " swings while parts are on their way, and settles over some minutes.",
            queries=(
                Query(
                    "clamp_min(1 - sum by (transport)"
                    f" (increase(uploader_confirmed_bytes_total{{{OF}}}[15m]))"
                    " / sum by (transport)"
                    f" (increase(uploader_sent_bytes_total{{{OF}}}[15m])), 0)",
                    "{{transport}}",
                ),
            ),
            unit="percentunit",
            width=6,
            thresholds=((0.05, YELLOW), (0.2, RED)),
            runbook="uploaderwaste",
        ),
        Panel(
            title="Queue",
            help="Windows of file content in memory, over all uploads of a process. Near zero while"
            " uploads run: reading is what holds them back. Constant and full: the network.",
            queries=(Query(f"uploader_queue_windows{{{HERE}}}", "{{instance}}"),),
            unit="none",
            width=6,
        ),
        Panel(
            title="Runs that ended",
            help="Runs of uploads an hour, by outcome.",
            queries=(Query(f"3600 * {rate('uploads_total', 'outcome')}", "{{outcome}}"),),
            unit="none",
            stack=True,
            width=12,
        ),
        Panel(
            title="Success and unknown",
            help="Shares of the runs that ended with a verdict of the destination.",
            queries=(
                Query(share(GOOD, VERDICT, "transport"), "success {{transport}}"),
                Query(share('outcome="unknown"', VERDICT, "transport"), "unknown {{transport}}"),
            ),
            unit="percentunit",
            highest=1,
            width=6,
            runbook="uploaderoutcomeunknown",
        ),
        Panel(
            title="In progress",
            help="Uploads that are driven now.",
            queries=(
                Query(
                    f"sum by (transport) (uploader_uploads_in_progress{{{OF}}})", "{{transport}}"
                ),
            ),
            unit="none",
            width=6,
        ),
    ),
)

EACH = Row(
    "$transport",
    (
        Panel(
            title="$transport: bytes",
            help="Sent, and confirmed.",
            queries=(
                Query(f"sum(rate(uploader_sent_bytes_total{{{OF}}}{NOW}))", "sent"),
                Query(f"sum(rate(uploader_confirmed_bytes_total{{{OF}}}{NOW}))", "confirmed"),
            ),
            unit="Bps",
            width=6,
        ),
        Panel(
            title="$transport: runs that ended",
            help="An hour, by outcome.",
            queries=(Query(f"3600 * {rate('uploads_total', 'outcome')}", "{{outcome}}"),),
            unit="none",
            stack=True,
            width=6,
        ),
        Panel(
            title="$transport: requests",
            help="95 of 100 requests take no longer.",
            queries=(
                Query(quantile(0.95, "request_duration_seconds", "operation"), "{{operation}}"),
            ),
            unit="s",
            width=6,
        ),
        Panel(
            title="$transport: outcomes unknown",
            help="Runs of which nobody told how they ended, in the time shown.",
            queries=(
                Query(f"sum(increase(uploader_outcome_unknown_total{{{OF}}}{SHOWN}))", "unknown"),
                Query(
                    f"sum(increase(uploader_upload_duration_seconds_count{{{OF}}}{SHOWN}))", "all"
                ),
            ),
            unit="none",
            width=6,
            runbook="uploaderoutcomeunknown",
        ),
    ),
    repeat="transport",
)

UPLOADS = Dashboard(
    uid="uploader",
    title="Uploader",
    help="Uploads to every destination: throughput, outcomes, trouble, where the time goes.",
    rows=(GLANCE, FLOW, TROUBLE, TIMES, KEEPING, EACH),
    variables=(
        Variable("job", "Job", "uploader_queue_windows"),
        Variable("instance", "Instance", "uploader_queue_windows"),
        Variable("transport", "Transport", "uploader_uploads_total"),
    ),
)
