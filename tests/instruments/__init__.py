"""Tests of logs and metrics: what operators see of uploads."""
