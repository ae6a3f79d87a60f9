"""Matured outcomes: past scoring runs whose horizon has passed, beside what really happened."""

from lifestage.matured.long_table import long_table
from lifestage.matured.past import LeftOut, PastRun, past_runs
from lifestage.matured.rounds import Backtest, Round, backtest
from lifestage.matured.sentences import left_out_sentence, sentences

__all__ = [
    "Backtest",
    "LeftOut",
    "PastRun",
    "Round",
    "backtest",
    "left_out_sentence",
    "long_table",
    "past_runs",
    "sentences",
]
