"""Raw tables, as the shop has them, to the history: one row a customer.

In order of reading: `sources` opens files, `mapping` reads their columns as ours, `checks` says which rows
cannot be used and why, `orders` makes purchases and refunds, `scope` settles the as_of, `cleaning` joins these
steps on any engine, `numbering` numbers the customers, `blocks` streams whole ones, `history` writes them.
"""

from lifestage.intake.history import write_history
from lifestage.intake.tables import Intake, open_tables

__all__ = ["Intake", "open_tables", "write_history"]
