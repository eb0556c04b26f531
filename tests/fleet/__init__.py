"""Queues of work: real brokers, real worker processes, kills."""
