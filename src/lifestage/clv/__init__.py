"""Customer lifetime value: BTYD summary, order model, spend model, discounted value.

Reading order: `summary`, `compress`, `maximise`, `bg_nbd`, `gamma_gamma`, `value`, `model`; then, for
training only, `baselines`, `groups`, `pit`, `weekly`, `evaluation` (the holdout), `fitters` (lifetimes' interface)
and `plots`.
"""
