"""The figures that Prometheus is told, made of the same snapshots that ``kontor status`` shows. Names: docs/metrics.md.

No name and no identity of a person is among them, no level of any sound, and no number of people in a room: a row of those,
kept for months, would tell who was where, and when (docs/data-protection.md).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric

from appliance.core.controls import Door, Reason
from appliance.core.counters import HELP
from appliance.core.lamps import LinkPhase
from appliance.core.updating import State
from appliance.health.machine import THROTTLED, Machine

Said = Mapping[str, Any]
_NOT_TOLD = frozenset({"host_joins", "host_leaves", "host_knocks_ignored", "proof_violations"})
"""Counters of people coming and going; and what ``kontor_mute_violations`` tells of all proofs."""


def device(link: Said, sound: Said, provision: Said, machine: Machine, version: str) -> Iterator[Metric]:
    """What a device tells.

    :param link: the status of link, as sound's and provision's; empty when a part does not answer.
    """
    sound = sound if "gate" in sound else {}  # one of another version, while an update runs, is as good as none
    parts = {"sound": sound, "link": link, "provision": provision}
    yield _info("kontor_build", "the program", {"version": version})
    yield _gauge("kontor_up", "whether a part of the device answers", "part", {n: bool(s) for n, s in parts.items()})
    yield from _counted({name: said.get("counters", {}) for name, said in parts.items()})
    yield from _processes(parts)
    if sound:
        yield from _sound(sound)
    if link:
        yield from _link(link)
    yield from _proofs(sound, link)
    if provision:
        yield from _config(provision.get("config", {}))
        yield from _recovery(provision.get("recovery", {}))
        yield from _update(provision.get("update", {}))
    yield from _machine(machine)


def host(state: Said, process: Said, machine: Machine, version: str) -> Iterator[Metric]:
    """What a host tells: of its rooms together, never of one.

    :param state: that of the host; empty when it does not answer.
    """
    yield _info("kontor_build", "the program", {"version": version})
    yield _gauge("kontor_up", "whether a part answers", "part", {"host": bool(state)})
    yield from _counted({"host": state.get("counters", {})})
    yield from _processes({"host": process})
    rooms = state.get("rooms", ())
    yield _plain("kontor_host_rooms", "rooms that are held", len(rooms))
    yield _plain("kontor_host_members", "members in all rooms together", sum(room["members"] for room in rooms))
    yield _plain("kontor_host_connected", "of them with sound", sum(room["connected"] for room in rooms))
    yield from _machine(machine)


def _sound(sound: Said) -> Iterator[Metric]:
    held = set(sound["reasons"])
    yield _plain("kontor_gate_open", "whether the microphone is heard", sound["gate"] == "open")
    yield _gauge(
        "kontor_gate_reason", "whether it holds the gate closed", "reason", {r.word: r.word in held for r in Reason}
    )
    doors = {door.name.lower(): sound["door"] == door.name.lower() for door in Door}
    yield _gauge("kontor_door", "how the door stands", "state", doors)
    yield _plain("kontor_exchange_connected", "whether sound and link talk", sound["exchange_connected"])
    yield _plain("kontor_panel_limited", "whether buttons or lamps work less well", bool(sound["panel_problem"]))
    front_end = sound.get("front_end")
    if front_end:
        yield _plain(
            "kontor_front_end_limited", "whether the front end does less than asked", bool(front_end["degraded"])
        )
        took = front_end["us_per_block"] / 1e6
        yield _plain("kontor_front_end_block_seconds", "processor time for 10 ms of sound", took)


def _link(link: Said) -> Iterator[Metric]:
    phases = {phase.name.lower(): link["phase"] == phase.name.lower() for phase in LinkPhase}
    yield _gauge("kontor_link_phase", "how the device stands to its room", "phase", phases)
    way = link["way"]
    for name, key, scale, about in (
        ("kontor_round_trip_seconds", "rtt_ms", 1000, "to the server and back"),
        ("kontor_sent_loss_ratio", "loss", 1, "part of what is sent that does not arrive"),
        ("kontor_jitter_seconds", "jitter_ms", 1000, "of what is received"),
        ("kontor_playout_delay_seconds", "delay_ms", 1000, "that the playout adds"),
    ):
        if way[key] is not None:
            yield _plain(name, about, way[key] / scale)
    yield _plain("kontor_relayed", "whether sound goes through a relay", way["relayed"])


def _proofs(sound: Said, link: Said) -> Iterator[Metric]:
    told = {said["proof"]["engine"]: said["proof"]["violations"] for said in (sound, link) if said}
    yield _counter("kontor_mute_violations", "proofs of mute that failed; always 0", "engine", told)


def _config(config: Said) -> Iterator[Metric]:
    if not config:
        return
    yield _info("kontor_config", "the settings", {"digest": str(config["digest"]), "state": str(config["state"])})
    versions = config.get("versions", {})
    yield _gauge("kontor_config_version", "of what was fetched last, by its scope", "scope", dict(versions))


def _recovery(recovery: Said) -> Iterator[Metric]:
    steps = recovery.get("steps")
    if steps is not None:
        yield _counter("kontor_recovery_steps", "steps that the device took to mend itself", "step", steps)


def _update(update: Said) -> Iterator[Metric]:
    if not update or update["state"] == State.NO_IMAGE:
        return
    facts = {"slot": str(update["slot"]), "version": str(update.get("version", ""))}
    yield _info("kontor_image", "the image that runs", facts)
    states = {state.value: update["state"] == state for state in State if state is not State.NO_IMAGE}
    yield _gauge("kontor_update_state", "how the device stands to updates", "state", states)
    if update.get("kind"):
        yield _gauge("kontor_update_refused", "why the last update was not taken", "why", {str(update["kind"]): 1})
    if "fetched" in update:
        yield _plain("kontor_update_fetched_bytes", "of the last update that came over the network", update["fetched"])


def _processes(parts: Mapping[str, Said]) -> Iterator[Metric]:
    for key, name, about, make in (
        ("cpu_s", "kontor_cpu_seconds", "processor time", _counter),
        ("rss_bytes", "kontor_resident_bytes", "memory", _gauge),
        ("uptime", "kontor_uptime_seconds", "time since the part started", _gauge),
    ):
        yield make(name, about, "part", {part: said[key] for part, said in parts.items() if key in said})


def _machine(machine: Machine) -> Iterator[Metric]:
    yield _plain("kontor_machine_uptime_seconds", "time since the machine started", machine.uptime)
    for name, about, value in (
        ("kontor_machine_load", "threads that ran or waited, averaged over a minute", machine.load),
        ("kontor_machine_memory_free_bytes", "memory that nobody uses", machine.memory_free),
        ("kontor_machine_temperature_celsius", "the hottest sensor", machine.temperature),
        ("kontor_storage_free_bytes", "free where the state is kept", machine.free),
    ):
        if value is not None:
            yield _plain(name, about, value)
    if machine.tells_throttling:
        reasons = {name: name in machine.throttled for name in THROTTLED.values()}
        yield _gauge("kontor_machine_throttled", "whether the processor is slowed down", "reason", reasons)
    if machine.life_used:
        yield _gauge("kontor_storage_life_used_ratio", "part of its life behind it", "disk", machine.life_used)
    if machine.written is not None:
        written = CounterMetricFamily("kontor_storage_written_bytes", "written where the state is kept")
        written.add_metric([], machine.written)
        yield written


def _counted(parts: Mapping[str, Mapping[str, int]]) -> Iterator[Metric]:
    """Every counter that counted something, or whose 0 is the message."""
    for name, about in HELP.items():
        told = {part: counts[name] for part, counts in parts.items() if name in counts}
        if told and name not in _NOT_TOLD:
            yield _counter(f"kontor_{name}", about, "part", told)


def _plain(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=float(value))


def _gauge(name: str, about: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family


def _counter(name: str, about: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, about, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family


def _info(name: str, about: str, values: dict[str, str]) -> Metric:
    return InfoMetricFamily(name, about, value=values)
