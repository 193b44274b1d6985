"""Make a pack: what is missing is made by workers, what is there is kept, and the whole is concluded the same way
however often it was interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from nsynth_core import cache
from nsynth_core.blending.engine import Watch, unwatched
from nsynth_core.errors import UserError
from nsynth_core.files import sha256
from wavetables.packs import conclusion, journal, plan
from wavetables.packs.journal import Facts, Journal
from wavetables.packs.making import Failure, is_full, make
from wavetables.packs.plan import Item, Pack, Sweep
from wavetables.packs.sweeps import engine_version
from wavetables.packs.workers import AGAIN, results


@dataclass(frozen=True)
class Made:
    """`manifest` is what pack.json holds, None when no item could be made; `kept` items were there already."""

    manifest: Facts | None
    failures: tuple[Failure, ...]
    kept: int


Update = Callable[[int, int, "Facts | Failure | None"], None]


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
    """Make `pack` in `folder`, or what is missing of it; update(done, total, what came of an item) after each.

    workers  processes on this machine;  cluster  address of a Dask scheduler whose workers see the same folders
    force    bring a folder with other content, an older recipe's or changed files up to date; foreign files stay
    watch    shows how far an engine is within an item, where one worker makes one after another
    Raises UserError: the folder is in use by another run or holds something else, the disk is full, no such cluster.
    An item that cannot be made is among the failures, and the rest is made.
    """
    check(folder, force)
    if pack.pictures != "none" and find_spec("matplotlib") is None:
        raise UserError("pictures need matplotlib; pip install 'make-wavetable[plot]', or leave them out")
    place = folder.absolute()  # workers may run elsewhere
    failures: list[Failure] = []
    with journal.opened(folder) as record:
        keys = _keys(pack)
        kept = _standing(pack, keys, record, folder, force)
        before = len(kept)
        update(before, len(keys), None)
        if before == len(keys) and record.before.get("plan") == _plan_key(pack, keys) and _texts_stand(record, folder):
            return Made(record.before, (), before)
        bare = replace(pack, items=(), licence_text="")  # every job carries it
        watched = watch if workers == 1 and cluster is None else unwatched
        todo = [partial(make, bare, item, place, watched) for item in pack.items if keys[item.name] not in kept]
        for result in results(todo, place, workers, cluster):
            if isinstance(result, Failure):
                failures.append(_bearable(result))
            else:
                facts = {"key": keys[result["name"]], **result}
                kept[facts["key"]] = facts
                record.add(facts)
            update(len(kept) + len(failures), len(keys), result)
        if not kept:
            return Made(None, tuple(failures), 0)
        made = [kept[keys[item.name]] for item in pack.items if keys[item.name] in kept]
        failures.sort(key=lambda failure: list(keys).index(failure.name))
        sheets = conclusion.sheets(pack, made, place)
        _sweep_up(record, {*(path for item in pack.items for path in plan.paths(pack, item)), *sheets}, folder)
        for drawn in results(list(sheets.values()), place, workers, cluster):
            if isinstance(drawn, Failure):
                raise UserError(_bearable(drawn).why)
        try:
            manifest = conclusion.conclude(pack, made, failures, list(sheets), folder, _plan_key(pack, keys))
        except UserError as error:
            raise UserError(_bearable(Failure(pack.title, str(error), is_full(error))).why) from error
    cache.prune()
    return Made(manifest, tuple(failures), before)


def check(folder: Path, force: bool) -> None:
    """Raise UserError when `folder` is a file, or holds something else than a pack (unless `force`)."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file, and a pack is a folder; choose another -o")
    known = any((folder / name).exists() for name in (journal.NAME, journal.MANIFEST))
    if folder.is_dir() and any(folder.iterdir()) and not known and not force:
        raise UserError(f"{folder} is not empty and holds no pack; choose another -o or add --force")


def _bearable(failure: Failure) -> Failure:
    """`failure`, if the next item may fare better. Raises UserError where the disk is full."""
    if failure.full:
        raise UserError(f"{failure.why}; make room, then {AGAIN}")
    return failure


def _keys(pack: Pack) -> dict[str, str]:
    """The key of each item's name, in the pack's order."""
    sweeps = any(isinstance(item.source, Sweep) for item in pack.items)
    version = engine_version(pack) if sweeps else ""
    return {item.name: plan.key(pack, item, version) for item in pack.items}


def _plan_key(pack: Pack, keys: dict[str, str]) -> str:
    return cache.digest("plan", keys, pack.description, pack.licence_text)


def _texts_stand(record: Journal, folder: Path) -> bool:
    """True when the texts, page and pictures of a finished pack are as they were. Raises UserError as sha256."""
    texts = record.before.get("files", {})
    return all((folder / path).exists() and sha256(folder / path) == sha for path, sha in texts.items())


def _standing(pack: Pack, keys: dict[str, str], record: Journal, folder: Path, force: bool) -> dict[str, Facts]:
    """The facts by key of items whose sources and files are as they were recorded. Raises UserError where files that a
    run has finished would be replaced or removed unasked."""
    if not force and not set(record.done) <= set(keys.values()):
        raise UserError(f"{folder} was made from another recipe or release; add --force to bring it up to date")
    kept: dict[str, Facts] = {}
    changed: list[str] = []
    for item in pack.items:
        facts = record.done.get(keys[item.name])
        if facts is None:
            continue
        whole = all((folder / path).exists() for path in facts["files"])
        if not _same_sources(item, facts) or any(
            sha256(folder / path) != sha for path, sha in facts["files"].items() if (folder / path).exists()
        ):
            changed.append(item.name)
        elif whole:
            kept[facts["key"]] = facts
    for path, sha in record.before.get("files", {}).items():
        if (folder / path).exists() and sha256(folder / path) != sha:
            changed.append(path)
    if changed and not force:
        names = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
        raise UserError(
            f"{folder}: {names} changed since the pack was made; add --force to make it anew from the sources"
        )
    return kept


def _same_sources(item: Item, facts: Facts) -> bool:
    try:
        return bool([[path.name, sha256(path)] for path in item.source.files] == facts["sources"])
    except UserError:
        return False


def _sweep_up(record: Journal, planned: set[str], folder: Path) -> None:
    """Remove what an earlier plan left that is not `planned` now, unless somebody changed it."""
    earlier = {path: sha for facts in record.done.values() for path, sha in facts["files"].items()}
    earlier |= record.before.get("files", {})
    for path, sha in earlier.items():
        with suppress(UserError):  # gone already
            if path not in planned and path not in conclusion.TEXTS and sha256(folder / path) == sha:
                (folder / path).unlink()
                _remove_empty((folder / path).parents, folder)


def _remove_empty(parents: Iterable[Path], folder: Path) -> None:
    for parent in parents:
        if parent == folder or any(parent.iterdir()):
            return
        parent.rmdir()
