"""What is drawn is what was answered."""

import re
from pathlib import Path
from typing import Any

from grafana.panels import RED, Dashboard, Panel, Query, Row
from grafana.pictures import Span, draw
from grafana.prometheus import Prometheus

ANSWERS: dict[str, list[dict[str, Any]]] = {
    "line": [{"metric": {"a": "up"}, "values": [[100 + n, str(n * 1e6)] for n in range(9)]}],
    "number": [{"metric": {}, "value": [110, "0.25"]}],
    "bars": [{"metric": {"a": name}, "value": [110, "3"]} for name in ("one", "two")],
    "nothing": [],
}


class Answering(Prometheus):
    """Says what it is told to."""

    def ask(self, path: str, **query: str) -> Any:
        return {"result": ANSWERS[query["query"]]}


def panel(query: str, **facts: Any) -> Panel:
    """Make a panel of one query."""
    return Panel(title=f"about {query}", help="…", queries=(Query(query, "{{a}}!"),), **facts)


def test_every_shape_shows_its_answer(tmp_path: Path) -> None:
    """Lines and bars by their legends, numbers in their unit; and silence is said to be that."""
    panels = (
        panel("line", unit="Bps", thresholds=((5e6, RED),)),
        panel("number", unit="percentunit", shape="stat"),
        panel("bars", shape="bargauge"),
        panel("nothing"),
    )
    dashboard = Dashboard(
        uid="u", title="t", help="…", rows=(Row("$transport", panels),), variables=()
    )
    draw(dashboard, Answering(0), Span(100, 110), tmp_path / "drawn.svg")
    drawn = (tmp_path / "drawn.svg").read_text()
    for text in ("each transport", "about line, MB/s", "up!", "25 %", "one!", "two!", "no data"):
        assert f">{text}<" in drawn
    assert drawn.count(">no data<") == 1
    assert not re.search(r"\d\.\d\d", drawn.partition("<defs>")[2])


def test_a_query_is_filled_as_grafana_does_it() -> None:
    """Every filter stands at All; windows fit the time that is drawn."""
    assert (
        Span(0, 120).filled('rate(x{job=~"$job"}[$__rate_interval])') == 'rate(x{job=~".*"}[10s])'
    )
    assert Span(0, 120.5).filled("increase(x[$__range])") == "increase(x[121s])"
