"""Model cards as Markdown."""

from lifestage.tracking.cards import card, churn_figures, clv_figures

CHURN = {
    "n": 1234.0,
    "base_rate": 0.25,
    "grade": 1.0,
    "roc_auc": 0.7126,
    "pr_auc_rarer": 0.4,
    "lead_over/rule/average_precision": 0.05,
    "lead_over/rule/average_precision_low": 0.01,
    "lead_over/rule/average_precision_high": 0.09,
    "lead_over/rule/roc_auc": 0.5,
    "lead_over/rule/roc_auc_low": 0.4,
    "lead_over/rule/roc_auc_high": 0.6,
    "ece": 0.02,
    "ece_low": 0.01,
    "ece_high": 0.03,
    "ece_if_perfect_high": 0.025,
}


def test_a_card_is_a_page_of_tables_and_lists() -> None:
    text = card("shop-churn", "Who leaves.", {"from": "a|b"}, [("grade", "B")], segments=["one"], left_out=[])
    assert text.splitlines()[0] == "# shop-churn"
    assert "| from | a\\|b |" in text
    assert "| grade | B |" in text
    assert "**Segments**\n\n- one" in text
    assert "Left out" not in text


def test_churn_figures_carry_their_intervals() -> None:
    told = dict(churn_figures(CHURN, "rule"))
    assert told["customers"] == "1,234, 25.0% churned"
    assert told["grade"] == "B: better than the plain rule"
    assert told["lead over rule"] == "+0.050 (95 % interval +0.010 to +0.090)"
    assert (
        told["calibration error"] == "0.020 (95 % interval 0.010 to 0.030; of true probabilities up to 0.025)"
    )
    by_auc = dict(churn_figures({**CHURN, "grade_by_roc_auc": 1.0}, "rule"))
    assert by_auc["lead over rule"].startswith("+0.500")


def test_clv_figures_tell_what_there_is() -> None:
    metrics = {"model_orders_mae": 0.3, "model_spend_mae": 12.0}
    assert [name for name, _ in clv_figures(metrics)] == [
        "mean absolute error a customer, orders",
        "mean absolute error a customer, spend",
    ]
    full = {
        **metrics,
        "model_orders_total_predicted": 110.0,
        "model_orders_total_actual": 100.0,
        "model_orders_total_error_percent": 10.0,
        "naive_orders_mae": 0.4,
        "model_spend_coverage_80": 0.81,
        "model_spend_coverage_80_expected": 0.8,
    }
    told = dict(clv_figures(full))
    assert told["total orders"] == "110 expected, 100 came (+10.0 %)"
    assert told["mean absolute error a customer, orders"] == "0.300 (own past rate: 0.400)"
    assert told["spend within its 80 % interval"] == "81.0% (expected 80.0%)"
