"""One training run as a page for people: text, glossary, pictures."""
