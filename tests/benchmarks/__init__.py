"""Measured figures, each beside its peer in one run: python -m tests.benchmarks [part ...]."""
