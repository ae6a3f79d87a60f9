"""The BG/NBD model of orders: likelihood, probability alive, future orders, the next order's time.

A customer orders at rate lambda ~ Gamma(r, alpha) and after each repeat order leaves for ever with probability
p ~ Beta(a, b). Fader, Hardie & Lee (2005), "Counting Your Customers the Easy Way", Marketing Science 24(2),
275-284. Who has ordered once had no chance to leave yet: P(alive) = 1, whatever their silence (see mbg_nbd).
Formulas: geometric_dropout.
"""

from lifestage.clv import geometric_dropout
from lifestage.clv.geometric_dropout import BetaGeoParams
from lifestage.clv.geometric_model import GeometricModel

Params, NAMES = BetaGeoParams, BetaGeoParams._fields
MEANING, TIME, MOVED = geometric_dropout.MEANING, geometric_dropout.TIME, geometric_dropout.MOVED
BOUNDS, STARTS = geometric_dropout.BOUNDS, geometric_dropout.STARTS
_MODEL = GeometricModel(first=0)

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
