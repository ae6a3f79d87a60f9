"""The search for better tree settings on validation cutoffs; needs optuna, so only scripts import it."""
