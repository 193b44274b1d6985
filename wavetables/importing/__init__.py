"""Recordings become tables: one file with `import_tables`, files and folders with `import_files`."""

from wavetables.importing.batch import Batch, ImportedFile, import_files
from wavetables.importing.result import Imported
from wavetables.importing.settings import Settings
from wavetables.importing.tables import import_sound, import_tables, join

__all__ = ["Batch", "Imported", "ImportedFile", "Settings", "import_files", "import_sound", "import_tables", "join"]
