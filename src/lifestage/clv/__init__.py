"""Customer lifetime value: BTYD summary, order model, spend model, discounted value.

Reading order: `summary`, `compress`, `maximise`, `bg_nbd`, `gamma_gamma`, `gamma_gamma_strata`,
`spend_law`, `value`, `model`; then, for training only,
`baselines`, `groups`, `pit`, `weekly`, `evaluation` (the holdout), `fitters` and `lifetimes_plots` (lifetimes'
interface) and `plots`.
"""
