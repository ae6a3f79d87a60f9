"""Prediction time: measured in turn, never judged on a trifle."""

import pytest

from lifestage.gate.speed import Speed, alternate


class Hours:
    """A clock that only work moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[str] = []

    def work(self, name: str, seconds: list[float]) -> object:
        left = iter(seconds)

        def done() -> None:
            self.order.append(name)
            self.now += next(left)

        return done


def test_the_least_of_repeats_in_turn_without_the_first() -> None:
    clock = Hours()
    slow = clock.work("challenger", [0.0, 9.0, 4.0, 5.0])
    fast = clock.work("champion", [0.1, 3.0, 2.0, 7.0])
    found = alternate(slow, fast, 500, lambda: clock.now, repeats=3)  # type: ignore[arg-type]
    assert clock.order == ["challenger", "champion"] * 4
    assert (found.challenger, found.champion) == pytest.approx(
        (8_000, 4_000)
    )  # ms for 1,000 of 500's seconds
    assert found.ratio == pytest.approx(2)


@pytest.mark.parametrize(
    ("challenger", "champion", "slow"),
    [
        (201.0, 100.0, True),
        (199.0, 100.0, False),
        (49.0, 0.001, False),
        (51.0, 0.001, True),
        (51.0, 0.0, True),
    ],
)
def test_slow_is_more_than_twice_and_more_than_anybody_notices(
    challenger: float, champion: float, slow: bool
) -> None:
    assert Speed(challenger, champion).too_slow(2.0, 50.0) is slow
