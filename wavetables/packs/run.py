"""Make a planned pack: workers make what is missing, what is there is kept, and the pack is concluded. However often it
was interrupted, the pack has the same bytes in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from nsynth_core import cache, parallel
from nsynth_core.blending.engine import Watch, unwatched
from nsynth_core.errors import NotWritable, UsageError, UserError
from nsynth_core.files import sha256
from wavetables import pictures
from wavetables.caching import digest
from wavetables.packs import conclusion, journal, plan
from wavetables.packs.archive import write_zip
from wavetables.packs.errors import DiskFull, FilesChanged, OtherContent, OtherPlan
from wavetables.packs.journal import Facts, Journal
from wavetables.packs.making import Failure, is_full, make
from wavetables.packs.plan import Item, Pack, Sweep
from wavetables.packs.sweeps import engine_version
from wavetables.packs.workers import results


@dataclass(frozen=True)
class Made:
    """A pack that was made.

    manifest: what pack.json holds, None when no item could be made
    failures: the items that could not be made
    kept: how many items were there already
    folder: the pack's folder
    archive: its .zip, None where none was made
    """

    manifest: Facts | None
    failures: tuple[Failure, ...]
    kept: int
    folder: Path
    archive: Path | None = None


# items done, items in all, what became of an item (None at the start)
Update = Callable[[int, int, "Facts | Failure | None"], None]


def make_planned(
    pack: Pack,
    folder: Path,
    *,
    workers: int | None = None,
    cluster: str | None = None,
    archive: bool = False,
    force: bool = False,
    update: Update | None = None,
    watch: Watch | None = None,
) -> Made:
    """Make `pack`, a plan, in `folder`, or what is missing of it. The other parameters are those of
    `wavetables.packs.make_pack`; so are the errors that are raised."""
    if cluster is not None and workers is not None:
        raise UsageError("workers are processes of this machine; a cluster has its own, leave one of them out")
    if pack.engine == "nsynth" and pack.nsynth is None and any(isinstance(item.source, Sweep) for item in pack.items):
        raise UsageError("the engine nsynth needs a checkpoint")
    # TensorFlow has threads of its own
    processes = workers or (1 if pack.nsynth is not None else parallel.cores())
    made = build(
        pack,
        folder,
        update or (lambda done, total, result: None),
        workers=processes,
        cluster=cluster,
        force=force,
        watch=watch or unwatched,
    )
    if archive and made.manifest is not None:
        return replace(made, archive=write_zip(folder, folder.with_name(f"{folder.name}.zip"), force))
    return made


def build(
    pack: Pack,
    folder: Path,
    update: Update = lambda done, total, result: None,
    *,
    workers: int = 1,
    cluster: str | None = None,
    force: bool = False,
    watch: Watch = unwatched,
) -> Made:
    """Make `pack` in `folder` as `make_planned` does, without an archive."""
    check(folder, force)
    if pack.pictures != "none":
        pictures.check_can_draw()
    place = folder.absolute()  # workers may run in another folder
    with journal.opened(folder) as record:
        keys = _keys(pack)
        kept = _kept_items(pack, keys, record, folder, force)
        before = len(kept)
        update(before, len(keys), None)
        unchanged = before == len(keys) and record.before.get("plan") == _plan_key(pack, keys)
        if unchanged and _texts_stand(record, folder):
            return Made(record.before, (), before, folder)
        watched = watch if workers == 1 and cluster is None else unwatched
        failures: list[Failure] = []
        for result in results(_jobs(pack, keys, kept, place, watched), place, workers, cluster):
            if isinstance(result, Failure):
                failures.append(_check_room(result))
            else:
                facts = {"key": keys[result["name"]], **result}
                kept[facts["key"]] = facts
                record.add(facts)
            update(len(kept) + len(failures), len(keys), result)
        if not kept:
            return Made(None, tuple(failures), 0, folder)
        failures.sort(key=lambda failure: list(keys).index(failure.name))
        items = [kept[keys[item.name]] for item in pack.items if keys[item.name] in kept]
        manifest = _conclude(pack, items, failures, record, folder, _plan_key(pack, keys), workers, cluster)
    cache.prune()
    return Made(manifest, tuple(failures), before, folder)


def check(folder: Path, force: bool) -> None:
    """Check that a pack may be made in `folder`. Raises NotWritable when it is a file, and OtherContent when it holds
    something else than a pack and `force` is false."""
    if folder.exists() and not folder.is_dir():
        raise NotWritable(folder, "it is a file, and a pack is a folder")
    is_pack = any((folder / name).exists() for name in (journal.NAME, journal.MANIFEST))
    if folder.is_dir() and any(folder.iterdir()) and not is_pack and not force:
        raise OtherContent(folder)


# ----------------------------------------------------------------------------------------------------------- the making
def _jobs(
    pack: Pack, keys: dict[str, str], kept: dict[str, Facts], place: Path, watch: Watch
) -> list[partial[Facts | Failure]]:
    """The jobs that make the missing items."""
    bare = replace(pack, items=(), licence_text="")  # every job carries it
    return [partial(make, bare, item, place, watch) for item in pack.items if keys[item.name] not in kept]


def _conclude(
    pack: Pack,
    items: list[Facts],
    failures: list[Failure],
    record: Journal,
    folder: Path,
    plan_key: str,
    workers: int,
    cluster: str | None,
) -> Facts:
    """Draw the contact sheets, remove what is no longer planned, and write the texts and the manifest."""
    sheets = conclusion.sheets(pack, items, folder.absolute())
    planned = {path for item in pack.items for path in plan.paths(pack, item)}
    _remove_unplanned(record, {*planned, *sheets}, folder)
    for drawn in results(list(sheets.values()), folder.absolute(), workers, cluster):
        if isinstance(drawn, Failure):
            raise _check_room(drawn).error
    try:
        return conclusion.conclude(pack, items, failures, list(sheets), folder, plan_key)
    except UserError as error:
        raise _check_room(Failure(pack.title, error, is_full(error))).error from error


def _check_room(failure: Failure) -> Failure:
    """`failure`. Raises DiskFull when the next item would fail, too."""
    if failure.full:
        raise DiskFull(failure.why) from failure.error
    return failure


# ------------------------------------------------------------------------------------------------------- what is there
def _keys(pack: Pack) -> dict[str, str]:
    """The key of each item's name, in the pack's order."""
    has_sweeps = any(isinstance(item.source, Sweep) for item in pack.items)
    version = engine_version(pack) if has_sweeps else ""
    return {item.name: plan.key(pack, item, version) for item in pack.items}


def _plan_key(pack: Pack, keys: dict[str, str]) -> str:
    return digest("plan", keys, pack.description, pack.licence_text)


def _texts_stand(record: Journal, folder: Path) -> bool:
    """True when the texts, page and pictures of a finished pack are as they were. Raises UserError as sha256."""
    texts = record.before.get("files", {})
    return all((folder / path).exists() and sha256(folder / path) == sha for path, sha in texts.items())


def _kept_items(pack: Pack, keys: dict[str, str], record: Journal, folder: Path, force: bool) -> dict[str, Facts]:
    """The facts, by key, of items whose sources and files are as they were recorded. Raises OtherPlan or FilesChanged
    where finished files would be replaced or removed and `force` is false."""
    if not force and not set(record.done) <= set(keys.values()):
        raise OtherPlan(folder)
    kept: dict[str, Facts] = {}
    changed: list[str] = []
    for item in pack.items:
        facts = record.done.get(keys[item.name])
        if facts is None:
            continue
        if not _same_sources(item, facts) or _any_changed(facts["files"], folder):
            changed.append(item.name)
        elif all((folder / path).exists() for path in facts["files"]):
            kept[facts["key"]] = facts
    texts = record.before.get("files", {})
    changed += [path for path, sha in texts.items() if _any_changed({path: sha}, folder)]
    if changed and not force:
        raise FilesChanged(folder, changed)
    return kept


def _any_changed(files: dict[str, str], folder: Path) -> bool:
    """True when one of the files (path to hash) is there and has another hash."""
    return any((folder / path).exists() and sha256(folder / path) != sha for path, sha in files.items())


def _same_sources(item: Item, facts: Facts) -> bool:
    try:
        return bool([[path.name, sha256(path)] for path in item.source.files] == facts["sources"])
    except UserError:
        return False


def _remove_unplanned(record: Journal, planned: set[str], folder: Path) -> None:
    """Remove the files of an earlier plan that are not `planned` now, unless somebody changed them."""
    earlier = {path: sha for facts in record.done.values() for path, sha in facts["files"].items()}
    earlier |= record.before.get("files", {})
    for path, sha in earlier.items():
        with suppress(UserError):  # the file is gone already
            if path not in planned and path not in conclusion.TEXTS and sha256(folder / path) == sha:
                (folder / path).unlink()
                _remove_empty((folder / path).parents, folder)


def _remove_empty(parents: Iterable[Path], folder: Path) -> None:
    for parent in parents:
        if parent == folder or any(parent.iterdir()):
            return
        parent.rmdir()
