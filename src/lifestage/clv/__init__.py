"""Customer lifetime value: BTYD summary, order model, spend model, discounted value.

Reading order: `summary`, `compress`, `maximise`, `bg_nbd`, `gamma_gamma`, `gamma_gamma_strata`,
`spend_law`, `value`, `model`; then, for training only, `evaluation`, `fitters` (lifetimes' interface) and `plots`.
"""
