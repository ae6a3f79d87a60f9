"""Customer lifetime value: BTYD summary, order model, spend model, discounted value.

Reading order: `summary`, `compress`, `maximise`, `bg_nbd`, `gamma_gamma`, `value`, `model`; then, for
training only, `evaluation`, `fitters` (lifetimes' interface) and `plots`.
"""
