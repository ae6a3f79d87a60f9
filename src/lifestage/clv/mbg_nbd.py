"""The MBG/NBD model of orders: a BG/NBD in which one can leave right after the first purchase.

Batislam, Denizel & Filiztekin (2007), "Empirical validation and comparison of models for customer base
analysis", International Journal of Research in Marketing 24(3), 201-209; the same as the CBG/NBD of Hoppe & Wagner
(2007). So a one-time buyer's P(alive) falls with their silence, which the BG/NBD holds at 1.
Formulas: geometric_dropout.
"""

from lifestage.clv import geometric_dropout
from lifestage.clv.geometric_dropout import BetaGeoParams
from lifestage.clv.geometric_model import GeometricModel

Params, NAMES = BetaGeoParams, BetaGeoParams._fields
MEANING, TIME, MOVED = geometric_dropout.MEANING, geometric_dropout.TIME, geometric_dropout.MOVED
BOUNDS, STARTS = geometric_dropout.BOUNDS, geometric_dropout.STARTS
_MODEL = GeometricModel(first=1)

likelihood = _MODEL.likelihood
log_likelihood = _MODEL.log_likelihood
probability_alive = _MODEL.probability_alive
time_scale = _MODEL.time_scale
alive_later_given_alive = _MODEL.alive_later_given_alive
order_rate_given_alive = _MODEL.order_rate_given_alive
expected_purchases_given_alive = _MODEL.expected_purchases_given_alive
expected_purchases = _MODEL.expected_purchases
probability_of_order_given_alive = _MODEL.probability_of_order_given_alive
probability_of_order = _MODEL.probability_of_order
next_order_quantile = _MODEL.next_order_quantile
order_counts_given_alive = _MODEL.order_counts_given_alive
