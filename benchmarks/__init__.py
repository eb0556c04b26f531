"""Benchmarks: ours beside what anyone would pick instead, in the same run.

Rule: nothing here is imported by `uploader` or `transports`; ours is driven through its public
face only. Run `python -m benchmarks --help`.
"""
