"""The features of a whole simulated shop against hand-written SQL: the benchmark's peer is an oracle of its own."""

from pathlib import Path

from tests.benchmarks import shop


def test_all_families_equal_hand_written_sql(tmp_path: Path) -> None:
    shop.make(tmp_path, 400)
    ours = shop.ours(tmp_path)
    found = shop.theirs(tmp_path)  # raises where a column differs
    assert found["columns"] == ours["features"] == found["exact"] + found["near"]
    assert found["exact"] > found["near"]
    assert found["others"] == 0
