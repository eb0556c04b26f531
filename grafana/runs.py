"""The dashboard of benchmark runs.

Rule: ours beside the rivals of the same report; a figure never stands without its bound.
"""

from __future__ import annotations

from grafana.panels import GREEN, RED, Dashboard, Panel, Query, Row, Variable
from grafana.reports import PREFIX

RUN = 'suite=~"$suite",setting=~"$setting",contender=~"$contender"'
OURS = 'suite=~"$suite",setting=~"$setting",contender="ours"'
RIVALS = 'suite=~"$suite",setting=~"$setting",contender!="ours",contender=~"$contender"'


def _median(name: str, where: str) -> str:
    return f"quantile_over_time(0.5, {PREFIX}{name}{{{where}}}[$__range])"


def _bars(title: str, name: str, unit: str, text: str) -> Panel:
    return Panel(
        title=title,
        help=f"{text} The median of the runs in the time shown.",
        queries=(Query(f"sort_desc({_median(name, RUN)})", "{{contender}}, {{setting}}"),),
        unit=unit,
        shape="bargauge",
        width=12,
    )


SPEED = Row(
    "Throughput",
    (
        Panel(
            title="Each run",
            help="Bytes a second, run by run: contenders take turns, so that what disturbs one"
            " disturbs all.",
            queries=(Query(f"{PREFIX}bytes_per_second{{{RUN}}}", "{{contender}}, {{setting}}"),),
            unit="Bps",
            width=12,
        ),
        Panel(
            title="Ours against each rival",
            help="Quotients of medians; above 1 ours is faster.",
            queries=(
                Query(
                    f"1 / ({_median('bytes_per_second', RIVALS)} / ignoring (contender)"
                    f" group_left () {_median('bytes_per_second', OURS)})",
                    "{{contender}}, {{setting}}",
                ),
            ),
            unit="none",
            shape="bargauge",
            width=12,
            thresholds=((None, RED), (0.85, GREEN)),
        ),
        _bars("Throughput", "bytes_per_second", "Bps", "Bytes a second of wall time."),
        _bars("Processor", "cpu_seconds_per_gigabyte", "s", "Processor seconds per gigabyte sent."),
        _bars(
            "Processor of the sink",
            "sink_cpu_seconds_per_gigabyte",
            "s",
            "What the peer costs: where it is busy all the time, the sink is what is measured.",
        ),
        _bars("Memory", "peak_over_idle_bytes", "bytes", "Peak above the idle process."),
    ),
)
LIMITS = Row(
    "Limits",
    (
        Panel(
            title="Figures against their bounds",
            help="The measured figure as a share of its bound. Whether more or less is better, its"
            " name tells; the next panel has the verdict.",
            queries=(
                Query(
                    f'last_over_time({PREFIX}limit_value{{suite=~"$suite"}}[$__range])'
                    f' / last_over_time({PREFIX}limit_bound{{suite=~"$suite"}}[$__range])',
                    "{{figure}}",
                ),
            ),
            unit="percentunit",
            shape="bargauge",
            width=12,
        ),
        Panel(
            title="Reached",
            help="1 where a figure reached its bound in the last report.",
            queries=(
                Query(
                    f'last_over_time({PREFIX}limit_reached{{suite=~"$suite"}}[$__range])',
                    "{{figure}}",
                ),
            ),
            unit="none",
            shape="bargauge",
            highest=1,
            width=6,
            thresholds=((None, RED), (1, GREEN)),
        ),
        Panel(
            title="Lateness",
            help="How late the caller's own event loop is while an upload runs, p99.",
            queries=(
                Query(
                    f"sort_desc({_median('lateness_seconds', RUN)})", "{{contender}}, {{setting}}"
                ),
            ),
            unit="s",
            shape="bargauge",
            width=6,
            thresholds=((0.02, RED),),
        ),
    ),
)

RUNS = Dashboard(
    uid="uploader-benchmarks",
    title="Uploader benchmarks",
    help="Reports of `python -m benchmarks`, loaded by promtool.",
    rows=(SPEED, LIMITS),
    variables=(
        Variable("suite", "Suite", f"{PREFIX}bytes_per_second"),
        Variable("setting", "Setting", f"{PREFIX}bytes_per_second"),
        Variable("contender", "Contender", f"{PREFIX}bytes_per_second"),
    ),
    span="now-24h",
    refresh="",
)
