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
    fleet = make_fleet()
    ports = [free_port(), free_port()]
    workers = []
    for number, port in enumerate(ports):
        folder = tmp_path / f"metrics-{number}"
        folder.mkdir()
        environment = {"PROMETHEUS_MULTIPROC_DIR": str(folder), "FLEET_METRICS": str(port)}
        workers.append(fleet.start(redis, "--concurrency=2", environment=environment))
    app = producer(redis)
    ids: list[str] = []

    def worked(messages: int) -> bool:
        """Whether so many messages were worked on to their ends: who counts later is not killed."""
        return sum(worker.said.count(" succeeded in ") for worker in workers) == messages

    def publish(count: int, messages: int) -> None:
        new = [fleet.enqueue(fleet.film()) for _ in range(count)]
        ids.extend(new)
        for upload_id in new:
            send(app, upload_id)
        until(lambda: worked(messages + count), 30, f"{count} are sent")
        app.send_task("uploader.watch")
        until(lambda: worked(messages + count + 1), 30, f"{count} are asked about")
        assert all(map(fleet.is_done, new))

    with prometheus(tmp_path, ports, interval="500ms") as running:
        publish(12, 0)
        for worker in workers:
            worker.kill_child()
        publish(12, 13)

        def told() -> dict[str, float]:
            return {
                one["metric"]["operation"]: float(one["value"][1]) for one in running.now(COUNTED)
            }

        seen = Counter(request.operation for request in fleet.sandbox.requests)
        assert seen == {"init": 24, "put": 24, "status": 24}
        until(lambda: told() == seen, 20, f"Prometheus counts {seen}")
        (sent,) = running.now("sum(uploader_sent_bytes_total)")
        assert float(sent["value"][1]) == sum(post.size for post in fleet.sandbox.posts)
        (ended,) = running.now('sum(uploader_uploads_total{outcome="done"})')
        assert float(ended["value"][1]) == len(ids) == 24
    assert [worker.stop() for worker in workers] == [0, 0]
    fleet.check_nothing_left()
