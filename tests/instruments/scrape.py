"""Reads metrics as Prometheus does: as text, over HTTP or from an application."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Samples:
    """Return every sample of an exposition by name and labels."""
    families: Iterable[Metric] = text_string_to_metric_families(text)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def scraped(registry: CollectorRegistry) -> Samples:
    """Return what a scrape of a registry tells."""
    return parsed(generate_latest(registry).decode())


def value(samples: Samples, name: str, **labels: str) -> float:
    """Return one sample, 0 when there is none."""
    return samples.get((f"uploader_{name}", frozenset(labels.items())), 0.0)


def total(samples: Samples, name: str, **labels: str) -> float:
    """Add up the samples of a name that have these labels."""
    wanted = set(labels.items())
    return sum(
        number
        for (found, having), number in samples.items()
        if found == f"uploader_{name}" and wanted <= having
    )
