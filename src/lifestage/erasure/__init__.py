"""A person taken out of everything that Lifestage made, and the proof that nothing is left.

`needles` says what counts as a trace, `search` looks for it in files, `removal` and `history` take it out.
"""
