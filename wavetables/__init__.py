"""Sound → table → file."""
