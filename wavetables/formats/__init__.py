"""One module a table format."""
