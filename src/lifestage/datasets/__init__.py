"""Data sets that come with an installed package: real histories to learn, test and demonstrate on."""
