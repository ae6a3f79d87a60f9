"""What is odd about a policy before it goes live, found on a shop's own customers and on made-up ones."""
