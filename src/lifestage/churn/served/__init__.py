"""Who is served worse than the whole: segments, and customers new since training."""
