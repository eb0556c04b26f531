"""The command: `python -m grafana write|load|report|pictures`.

Rule: what Grafana and Prometheus read lies beside this file; only `write` and `pictures` change it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from grafana.panels import Dashboard
from grafana.runs import RUNS
from grafana.uploads import UPLOADS

HERE = Path(__file__).parent
DASHBOARDS: dict[str, Dashboard] = {"uploads": UPLOADS, "benchmarks": RUNS}


def files() -> Iterator[tuple[Path, str]]:
    """Yield each dashboard's file and the text that belongs there."""
    for name, dashboard in DASHBOARDS.items():
        text = json.dumps(dashboard.to_json(), indent=1, ensure_ascii=False)
        yield HERE / "dashboards" / f"{name}.json", text + "\n"


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    command = argparse.ArgumentParser(prog="python -m grafana", description="What is watched, how.")
    words = command.add_subparsers(dest="word", required=True)
    words.add_parser("write", help="write the dashboards' JSON from their description")
    load = words.add_parser("load", help="publish through faults to a sandbox, to have data")
    load.add_argument("--port", type=int, default=9464, help="of the metrics; 0 takes a free one")
    report = words.add_parser("report", help="a benchmark's JSON as OpenMetrics, for promtool")
    report.add_argument("file", type=Path)
    pictures = words.add_parser("pictures", help="draw what a real Prometheus says of a real run")
    pictures.add_argument("--seconds", type=float, default=90.0, help="how long the run takes")
    pictures.add_argument("--report", type=Path, help="a benchmark's JSON, for its dashboard")
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    arguments = parser().parse_args(argv)
    match arguments.word:
        case "write":
            for path, text in files():
                path.write_text(text)
        case "load":
            from grafana.load import main as publish

            try:
                publish(arguments.port)
            except KeyboardInterrupt:
                return 130
        case "report":
            from grafana.reports import open_metrics

            sys.stdout.buffer.write(open_metrics(arguments.file))
        case "pictures":
            from grafana.pictures import draw_all

            draw_all(DASHBOARDS, arguments.seconds, arguments.report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
