"""What changed since a release was trained, and whether it matters: distributions, rows, freshness."""
