"""The frame of the benchmarks: what it counts, what it sends, what it prints."""
