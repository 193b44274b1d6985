"""Sound → frames → table → file, and the command line."""

TABLE_SUFFIXES = {".wt", ".vitaltable", ".vital"}
