"""Packs: many tables in one folder, named, levelled and checked, with a page that plays them. A crash loses nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nsynth_core.blending.engine import Watch
    from nsynth_core.wavenet.options import NSynthOptions
    from wavetables.packs.run import Made, Update


def make_pack(
    source: str | Path,
    output: str | Path | None = None,
    *,
    nsynth: NSynthOptions | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    archive: bool = False,
    force: bool = False,
    update: Update | None = None,
    watch: Watch | None = None,
    **settings: Any,
) -> Made:
    """Make a pack of a recipe or a folder of recordings, or what is missing of it.

    source: a recipe (TOML), or a folder whose recordings each become a table, its subfolders the categories
    output: the folder of the pack. By default the recipe's title, or the folder's name with " Pack" behind it
    nsynth: the checkpoint and the options of NSynth, where the engine is "nsynth"
    workers: processes on this machine, by default one per core, and one with NSynth
    cluster: the address of a Dask scheduler, "tcp://host:port", whose workers see the same folders; without `workers`
    archive: also write the pack as one .zip beside its folder
    force: bring up to date a folder that holds something else, an older recipe's pack, or changed files
    update: called with (tables done, tables in all, facts or Failure of one table, None at the start)
    watch: shows how far an engine is within a table, where one worker makes one after another
    settings: what overrules the recipe, None for nothing
        title, author, licence, description: texts
        formats: tuple of "serum", "vital", "wt", "wt16", "hive" ... (wavetables.packs.plan.FORMATS)
        loudness: LUFS of every table, -40..-6, played at C3
        level: "table" (one gain for each table), "frame" (one gain for each frame) or "kept" (no gain)
        frames: at most so many in a table, 1..256
        pictures: "none", "sheet" (contact sheets) or "all" (every table and its sounds, too)
        engine: of sweeps: "harmonic", "crossfade", "envelope", "transport" or "nsynth"
        samples, previews: True to write notes of the sweeps; False to leave out the previews

    Returns the manifest (what pack.json holds), the failures and the paths. A table that cannot be made is a failure,
    and the others are made. Interrupted, the same call continues: the pack has the same bytes in the end.
    Raises UserError: see `plan_pack`; the folder is used by another run or holds something else, the disk is full, a
    worker was killed, the cluster does not answer. Raises MissingExtra: pictures without matplotlib, or no Dask.

    >>> import tempfile
    >>> from nsynth_core import audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     audio.write(Path(folder, "sounds", "soft_horn_A2.wav"), audio.sine(110.0))
    ...     made = make_pack(Path(folder, "sounds"), Path(folder, "out"), workers=1, frames=4, pictures="none")
    >>> made.manifest["items"][0]["tables"]
    {'serum': 'Serum/Recordings/Soft Horn A2.wav'}
    """
    from wavetables.packs.planning import plan_pack
    from wavetables.packs.run import make_planned

    pack, folder = plan_pack(source, output, nsynth=nsynth, **settings)
    options: dict[str, Any] = {"workers": workers, "cluster": cluster, "archive": archive, "force": force}
    return make_planned(pack, folder, **options, update=update, watch=watch)
