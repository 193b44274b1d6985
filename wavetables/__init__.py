"""Sound → frames → table → file, and the command line."""

TABLE_SUFFIXES = {".wt", ".vitaltable", ".vital"}
# what is looked for in a folder of sources
SUFFIXES = TABLE_SUFFIXES | {".wav", ".aif", ".aiff", ".flac", ".ogg", ".opus", ".mp3", ".caf", ".au", ".w64", ".rf64"}
