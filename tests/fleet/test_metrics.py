"""What a real Prometheus adds up over a fleet is what the destination has seen."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from grafana.prometheus import prometheus
from tests.fleet.brokers import free_port, until
from tests.fleet.conftest import MakeFleet
from tests.fleet.fleet import producer, send
from tests.grafana.programs import needs_prometheus

COUNTED = "sum by (operation) (uploader_requests_total)"


@pytest.mark.slow
@pytest.mark.timeout(150)
@needs_prometheus
def test_metrics_add_up_over_processes_that_come_and_go(
    make_fleet: MakeFleet, redis: str, tmp_path: Path
) -> None:
    """Two workers with two processes each; some are killed, and what they counted stays."""
    fleet = make_fleet({"processing_seconds": 0.2}, install={"watch_every": 1.0})
    ports = [free_port(), free_port()]
    workers = []
    for number, port in enumerate(ports):
        folder = tmp_path / f"metrics-{number}"
        folder.mkdir()
        environment = {"PROMETHEUS_MULTIPROC_DIR": str(folder), "FLEET_METRICS": str(port)}
        options = ("--concurrency=2",) if number else ("--concurrency=2", "--beat",
                   f"--schedule={tmp_path / 'beat'}")  # fmt: skip
        workers.append(fleet.start(redis, *options, environment=environment))
    app = producer(redis)
    ids: list[str] = []

    def publish(count: int) -> None:
        new = [fleet.enqueue(fleet.film()) for _ in range(count)]
        ids.extend(new)
        for upload_id in new:
            send(app, upload_id)
        until(lambda: all(map(fleet.is_done, new)), 30, f"{count} are published")

    with prometheus(tmp_path, ports, interval="500ms") as running:
        publish(12)
        for worker in workers:
            worker.kill_child()
        publish(12)

        def told() -> dict[str, float]:
            return {
                one["metric"]["operation"]: float(one["value"][1]) for one in running.now(COUNTED)
            }

        seen = Counter(request.operation for request in fleet.sandbox.requests)
        wanted = {"init": 24, "put": 24}
        assert {name: seen[name] for name in wanted} == wanted
        # Who is killed between a status call and its counting has not counted it.
        until(
            lambda: (
                wanted.items() <= told().items()
                and seen["status"] - 2 <= told()["status"] <= seen["status"]
            ),
            20,
            f"all is told, of {seen}",
        )
        (sent,) = running.now("sum(uploader_sent_bytes_total)")
        assert float(sent["value"][1]) == sum(post.size for post in fleet.sandbox.posts)
        (ended,) = running.now('sum(uploader_uploads_total{outcome="done"})')
        assert float(ended["value"][1]) == len(ids) == 24
    assert [worker.stop() for worker in workers] == [0, 0]
    fleet.check_nothing_left()
