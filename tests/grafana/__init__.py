"""Dashboards, rules and the runbook, held to a real Prometheus."""
