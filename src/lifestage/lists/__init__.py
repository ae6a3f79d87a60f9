"""Lists of customers for people: whom to contact, whoever meets a condition; files that spreadsheets open right."""
