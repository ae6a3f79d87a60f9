"""The gate: may a challenger take the champion's place? Both are judged on customers whose outcome neither has seen."""

from lifestage.gate.churn import compare_churn
from lifestage.gate.churn_rules import churn_verdict
from lifestage.gate.clv import compare_clv
from lifestage.gate.clv_rules import clv_verdict
from lifestage.gate.ranking import About
from lifestage.gate.verdict import Verdict, grade_holds_back

__all__ = [
    "About",
    "Verdict",
    "churn_verdict",
    "clv_verdict",
    "compare_churn",
    "compare_clv",
    "grade_holds_back",
]
