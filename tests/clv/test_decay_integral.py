"""The integral of (1 + d/a)^-p (1 + d/b)^-q against adaptive quadrature and its closed form for a = b."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from lifestage.clv.decay_integral import decay_integral, decay_means


def one(p: float, a: float, q: float, b: float, end: float) -> list[np.ndarray]:
    return [np.array([v]) for v in (p, a, q, b, end)]


CASES = [
    (0.6, 10.0, 1.6, 12.0, 39.0),
    (0.01, 3.0, 1.001, 400.0, 0.5),
    (7.5, 400.0, 1.6, 0.2, 700.0),
    (40.0, 0.3, 90.0, 70.0, 500.0),
    (2000.5, 600.0, 1.6, 610.0, 300.0),
    (2000.5, 600.0, 1.6, 0.5, 300.0),
    (0.3, 0.1, 1.2, 900.0, 900.0),
    (0.3, 0.001, 1.2, 900.0, 30_000.0),
    (1.0, 5.0, 1.0, 5.0, 1e-9),
]


@pytest.mark.parametrize("case", CASES)
def test_integral_and_means_equal_adaptive_quadrature(case: tuple[float, ...]) -> None:
    p, a, q, b, end = case

    def weight(d: float) -> float:
        return float((1 + d / a) ** -p * (1 + d / b) ** -q)

    # the integrand lives near 0 or over many decades: pieces a decade each
    cuts = [0.0, *(end * 10.0 ** np.arange(-8, 1))]

    def adaptive(of: Callable[[float], float]) -> float:
        return sum(
            quad(lambda d: of(d) * weight(d), low, high, epsabs=0, epsrel=1e-12, limit=200)[0]
            for low, high in pairwise(cuts)
        )

    whole = adaptive(lambda _: 1.0)
    found = decay_means(*one(*case))
    assert found.integral[0] == pytest.approx(whole, rel=1e-11)
    assert decay_integral(*one(*case))[0] == found.integral[0]
    assert found.log_a[0] == pytest.approx(adaptive(lambda d: np.log1p(d / a)) / whole, rel=1e-10)
    assert found.log_b[0] == pytest.approx(adaptive(lambda d: np.log1p(d / b)) / whole, rel=1e-10)
    assert found.inverse_a[0] == pytest.approx(adaptive(lambda d: 1 / (a + d)) / whole, rel=1e-10)
    assert found.inverse_b[0] == pytest.approx(adaptive(lambda d: 1 / (b + d)) / whole, rel=1e-10)


def test_closed_form_where_both_times_are_equal() -> None:
    rng = np.random.default_rng(0)
    p, q, a, end = (
        np.exp(rng.uniform(low, high, 2_000)) for low, high in ((-6, 7.6), (-6, 4), (-5, 7), (-7, 9))
    )
    power = p + q - 1.0
    exact = a * -np.expm1(-power * np.log1p(end / a)) / power
    np.testing.assert_allclose(decay_integral(p, a, q, a, end), exact, rtol=2e-11)


def test_nothing_to_integrate() -> None:
    found = decay_means(*one(3.0, 5.0, 1.6, 2.0, 0.0))
    assert found.integral[0] == 0.0
    assert found.log_a[0] == found.log_b[0] == 0.0
    assert found.inverse_a[0] == pytest.approx(1 / 5, rel=1e-14)
    assert found.inverse_b[0] == pytest.approx(1 / 2, rel=1e-14)


def test_a_row_does_not_depend_on_the_others() -> None:
    rng = np.random.default_rng(1)
    columns = [np.exp(rng.uniform(-3, 6, 9_000)) for _ in range(5)]
    together = decay_means(*columns)
    for k in (0, 17, 4_095, 4_096, 8_999):
        alone = decay_means(*(c[k : k + 1] for c in columns))
        assert [v[0] for v in alone] == [v[k] for v in together]
