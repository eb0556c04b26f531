"""Refreshes are counted, and a scrape tells how many accounts are in each state."""

from prometheus_client import CollectorRegistry

from tests.accounts.scene import accounts_of, kept
from transports.tiktok.sandbox import Sandbox
from transports.tiktok.webhooks import WebhookReceiver
from uploader.accounts import MemoryTokenStore


def test_metrics_tell_of_refreshes_and_accounts(sandbox: Sandbox, store: MemoryTokenStore) -> None:
    """By state and outcome, never by name."""
    registry = CollectorRegistry()
    kept(store, sandbox.oauth.consent("other"), sandbox.clock.now(), account="other")
    accounts = accounts_of(sandbox, store, registry=registry, metrics=True)
    sandbox.clock.advance(7200)
    accounts("tiktok", "acme")
    accounts.withdrawn(sandbox.oauth.open_id("other"), "authorization.removed")

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"uploader_{name}", labels)

    refreshed = value("token_refreshes_total", transport="tiktok", outcome="refreshed")
    assert refreshed == 1
    assert value("accounts", state="active") == 1
    assert value("accounts", state="revoked") == 1
    assert value("accounts", state="expired") == 0


def test_metrics_tell_of_webhooks(sandbox: Sandbox) -> None:
    """By what became of them."""
    registry = CollectorRegistry()
    receiver = WebhookReceiver(
        None, sandbox.oauth.client_secret, registry=registry, clock=sandbox.clock.now
    )
    notice = sandbox.webhooks.of_removal("acme")
    for _ in range(2):
        receiver.receive(notice.headers, notice.body)

    for outcome in ("accepted", "duplicate"):
        labels = {"transport": "tiktok", "outcome": outcome}
        assert registry.get_sample_value("uploader_webhooks_total", labels) == 1
