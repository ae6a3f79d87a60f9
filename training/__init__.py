"""Thin, hackable scripts: python -m training.<verb> --config configs/<shop>.yaml."""
