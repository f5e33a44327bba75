"""Makes of a folder of settings files the static folder that devices follow, and refuses what a device would refuse.

The source folder holds ``all.toml``, ``groups/NAME.toml`` and ``devices/ID.toml``, each of which may be missing, and perhaps
``base.toml``: what stands in the devices' own files already. That one is only there to check with; it is not published.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from appliance.core.documents import ALL, DEVICES, GROUPS, KINDS, NotTaken, Pointer, Why, kind_of
from appliance.provisioning.files import source
from appliance.provisioning.minisign import LARGEST_SIGNATURE, PublicKey
from appliance.provisioning.publication import document_name, document_path, is_scope, pointer_path, read_pointer
from appliance.provisioning.signing import SecretKey
from appliance.provisioning.whole import misplaced, resolve_whole
from appliance.settings import Problem, Settings, SettingsError, Source, resolve
from appliance.settings.sources import LARGEST, read
from appliance.settings.store import atomic_write

BASE = "base.toml"
EMPTY = b"schema = 1\n"
"""What ends a layer: a document that says nothing."""

_PUBLIC_FILE, _PUBLIC_FOLDER = 0o644, 0o755


@dataclass(frozen=True, slots=True)
class Fleet:
    """The files of a source folder."""

    base: tuple[Source, ...]
    documents: Mapping[str, Source]
    """By scope, the weakest first."""


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of one scope."""

    pointer: Pointer
    content: bytes = field(repr=False)
    was: int
    """The version that is published now; 0: none is."""
    why: str
    """``new``, ``changed``, ``ended``, ``renewed``, or empty: it stays as it is."""


def read_fleet(folder: Path, public: Path | None = None) -> Fleet:
    """The files below ``folder``, but for those of the published folder, should that lie in it.

    :raises SettingsError: it has none, or some whose names are none of ours.
    """
    documents: dict[str, Source] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("**/*.toml")):
        if public is not None and path.absolute().is_relative_to(public.absolute()):
            continue
        scope = path.relative_to(folder).as_posix().removesuffix(".toml")
        if is_scope(scope):
            documents[scope] = source(path)
        elif scope + ".toml" != BASE:
            allowed = "is neither all.toml nor groups/NAME.toml nor devices/ID.toml"
            problems.append(Problem(str(path), None, "", "", allowed, "Names are made of a-z 0-9 . _ -"))
    if not documents and not problems:
        problems.append(Problem(str(folder), None, "", "", "holds no all.toml, groups/NAME.toml or devices/ID.toml"))
    if problems:
        raise SettingsError(problems)
    base = (source(folder / BASE),) if (folder / BASE).exists() else ()
    # "all" comes before "devices/" by the alphabet, but a group's layer lies below a device's.
    return Fleet(base, dict(sorted(documents.items(), key=lambda each: (_rank(each[0]), each[0]))))


def check(fleet: Fleet, signer: PublicKey) -> None:
    """Read the whole settings of every device that is named, and of every group, as the device would.

    A device whose group is not told by its documents may be in any of them.

    :raises SettingsError: with everything that some device would refuse, or that would make it deaf to ``signer``.
    """
    problems: dict[Problem, None] = {}
    for scope, document in fleet.documents.items():
        problems.update(dict.fromkeys(misplaced(document, scope)))
    for scopes in _stacks(fleet):
        names = {fleet.documents[scope].name: scope for scope in scopes}
        try:
            settings = resolve_whole([*fleet.base, *(fleet.documents[scope] for scope in scopes)], names).settings
        except SettingsError as error:
            problems.update(dict.fromkeys(error.problems))
        else:
            problems.update(dict.fromkeys(_deaf(fleet, scopes, settings, signer)))
    if problems:
        order = {each.name: number for number, each in enumerate([*fleet.base, *fleet.documents.values()])}
        raise SettingsError(sorted(problems, key=lambda each: (order.get(each.file, -1), each.line or 0)))


def plan(
    fleet: Fleet,
    folder: Path,
    trusted: tuple[PublicKey, ...],
    signer: PublicKey,
    *,
    expires: float | None = None,
    renew: bool = False,
    least: int = 1,
) -> list[Step]:
    """What is to be published in ``folder``, over what is there.

    :param trusted: whose pointers in ``folder`` are believed, the signer's own among them.
    :param expires: Unix time from which devices do not take what is published now.
    :param renew: raise every version, also of what has not changed.
    :param least: the version to begin with at least, for a folder that was lost.
    :raises SettingsError: a pointer in ``folder`` is none of ours, so that its version cannot be believed; or a document does
        not name the keys any more that it named.
    """
    problems: list[Problem] = []
    steps: list[Step] = []
    for scope in _scopes(fleet, folder):
        path = folder / pointer_path(scope)
        try:
            before = _published(folder, path, scope, trusted)
        except NotTaken as error:
            hint = "Name its public key with --trust, or remove the file and give --least a version above it."
            problems.append(Problem(str(path), None, "", "", f"cannot be believed. {str(error).rstrip('.')}", hint))
            continue
        content = fleet.documents[scope].content if scope in fleet.documents else EMPTY
        problems += _forgets_keys(scope, before[1] if before else b"", fleet.documents.get(scope))
        why = _why(scope in fleet.documents, content, before, signer, renew)
        old = before[0].version if before else 0
        version = max(old + 1, least)
        pointer = (
            Pointer(scope, version, document_name(scope, version), expires) if why or before is None else before[0]
        )
        steps.append(Step(pointer, content, old, why))
    if problems:
        raise SettingsError(problems)
    return steps


def write(steps: Sequence[Step], folder: Path, key: SecretKey) -> None:
    """Publish: each document first, then the pointer that leads to it, so that nobody sees half of it.

    Of each scope the version before stays, for whoever has just read its pointer.

    :raises OSError: it could not be written.
    """
    for step in steps:
        if step.why:
            path = folder / document_path(step.pointer)
            path.parent.mkdir(mode=_PUBLIC_FOLDER, parents=True, exist_ok=True)
            atomic_write(path, step.content, _PUBLIC_FILE)
    for step in steps:
        if step.why:
            pointer = key.publish(step.pointer, step.content)
            atomic_write(folder / pointer_path(step.pointer.scope), pointer, _PUBLIC_FILE)
            _tidy(folder, step)


def _rank(scope: str) -> int:
    return KINDS.index(kind_of(scope))


def _stacks(fleet: Fleet) -> Iterator[list[str]]:
    """The scopes of every kind of device there may be, the weakest first."""
    base = [ALL] if ALL in fleet.documents else []
    groups = [scope for scope in fleet.documents if scope.startswith(GROUPS)]
    yield base
    for group in groups:
        yield [*base, group]
    for device in (scope for scope in fleet.documents if scope.startswith(DEVICES)):
        named = _group(fleet, [*base, device])
        if named is not None:
            yield [*base, *([named] if named in groups else []), device]
        else:
            yield [*base, device]
            yield from ([*base, group, device] for group in groups)


def _group(fleet: Fleet, scopes: Sequence[str]) -> str | None:
    """The scope of the group that these documents put a device in; None: they do not say."""
    try:
        resolved = resolve([*fleet.base, *(fleet.documents[scope] for scope in scopes)], ())
    except SettingsError:
        return None  # told by the check itself
    group = resolved.settings.provisioning.group
    return GROUPS + group if "provisioning.group" in resolved.origins else None


def _deaf(fleet: Fleet, scopes: Sequence[str], settings: Settings, signer: PublicKey) -> Iterator[Problem]:
    """Whether a device that follows these would refuse whatever ``signer`` signs from then on."""
    keys = settings.provisioning.keys
    if keys and str(signer) not in keys:
        document = fleet.documents[scopes[-1]] if scopes else fleet.base[-1]
        allowed = (
            f"would leave out the key {signer.name} that this is signed with, so that no device would follow any more"
        )
        yield Problem(
            document.name, None, "provisioning.keys", "", allowed, "Name the old key and the new one for a while."
        )


def _scopes(fleet: Fleet, folder: Path) -> list[str]:
    """Those of the source, and those that were published once."""
    there = [
        name.removesuffix(".minisig")
        for name in (path.relative_to(folder).as_posix() for path in folder.glob("**/*.minisig"))
    ]
    scopes = {*fleet.documents, *(scope for scope in there if is_scope(scope))}
    return sorted(scopes, key=lambda scope: (_rank(scope), scope))


def _published(
    folder: Path, path: Path, scope: str, trusted: tuple[PublicKey, ...]
) -> tuple[Pointer, bytes, PublicKey] | None:
    """Pointer, document and signer of what is there.

    :raises NotTaken: it is not to be believed.
    """
    if not path.exists():
        return None
    with path.open("rb") as file:
        pointer, signature, key = read_pointer(file.read(LARGEST_SIGNATURE + 1), trusted)
    if pointer.scope != scope:
        raise NotTaken(Why.OTHER_SCOPE, f"It was signed for {pointer.scope}.")
    try:
        with (folder / document_path(pointer)).open("rb") as file:
            content = file.read(LARGEST + 1)
        signature.check_file(key, content)
    except (OSError, NotTaken):
        content = b""  # lost or spoilt: it is published anew
    return pointer, content, key


def _forgets_keys(scope: str, old: bytes, new: Source | None) -> Iterator[Problem]:
    """Without them a device would go back to the keys on its card, which may be older than the signer's."""
    name = f"{scope}.toml" if new is None else new.name
    if _names_keys(Source(name, old)) and not _names_keys(new or Source(name, EMPTY)):
        allowed = "is named in what is published now, and has to stay named"
        yield Problem(
            name, None, "provisioning.keys", "", allowed, "Without it devices go back to the keys on their cards."
        )


def _names_keys(source: Source) -> bool:
    document = read(source)
    table = {} if isinstance(document, Problem) else document.table.get("provisioning")
    return isinstance(table, dict) and "keys" in table


def _why(
    wanted: bool, content: bytes, before: tuple[Pointer, bytes, PublicKey] | None, signer: PublicKey, renew: bool
) -> str:
    if before is None:
        return "new"
    _pointer, old, key = before
    if old != content:
        return "changed" if wanted else "ended"
    return "renewed" if renew or key != signer else ""


def _tidy(folder: Path, step: Step) -> None:
    path = folder / document_path(step.pointer)
    name = step.pointer.scope.rpartition("/")[2]
    for other in path.parent.glob("*.toml"):
        found = re.fullmatch(rf"{re.escape(name)}\.([0-9]+)\.toml", other.name)
        if found and int(found[1]) < step.was:
            os.unlink(other)
