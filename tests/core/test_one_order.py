"""What customers with one order are told of their P(alive), in both languages, and nobody else."""

import pyarrow as pa
import pytest

from lifestage.lifecycle import engine
from lifestage.one_order import of_one_order

COLUMNS = {
    "purchase_days": pa.array([1.0, 1.0, 4.0, None]),
    "p_alive": pa.array([0.623, None, 0.9, None]),
}


def said(order_model: str | None, language: str) -> list[list[str]]:
    (speaker,) = of_one_order(COLUMNS, order_model, language)
    told = engine.query(f"SELECT {speaker.sentence.sql(speaker.when)} AS told FROM block", pa.table(COLUMNS))
    return [[] if text is None else [text] for text in told["told"].to_pylist()]


@pytest.mark.parametrize(
    ("model", "language", "text"),
    [
        (
            "mbg_nbd",
            "en",
            "one order so far; judged by the silence since: 62% likely to be a customer still (MBG/NBD)",
        ),
        ("pareto_nbd", "zh", "目前仅一单；据其后的沉默判断，仍是客户的概率为62%（Pareto/NBD）"),
    ],
)
def test_silence_counts(model: str, language: str, text: str) -> None:
    assert said(model, language) == [[text], [], [], []]


def test_a_bg_nbd_cannot_tell() -> None:
    first, second, *others = said("bg_nbd", "en")
    assert (
        first
        == second
        == ["one order so far: whether they are still a customer cannot be told (BG/NBD takes them for one)"]
    )
    assert others == [[], []]
    assert said("bg_nbd", "zh")[0] == ["目前仅一单：无法判断是否仍是客户（BG/NBD视其为客户）"]


def test_nothing_without_an_order_model_or_its_columns() -> None:
    assert of_one_order(COLUMNS, None, "en") == ()
    assert of_one_order({"purchase_days": COLUMNS["purchase_days"]}, "mbg_nbd", "en") == ()
