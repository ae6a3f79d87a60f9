"""A policy before and when it goes live: staged on a shop's own customers, compared, published."""
