"""The pages that belong to no study: what is known of devices, and what was published."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial

from markupsafe import Markup

from latency import DeviceProfile, LatencyOracle, device_names, load_profile
from search.errors import UserError
from search.live.studies import LiveStudies
from search.report import markup
from search.report.devices import predicted_against_measured
from search.report.notes import dataset_name, leave_one_out_errors, profile_note
from search.report.published import published_pareto
from search.report.rows import LeaderRow, leaderboard
from search.tasks import TASKS, Task
from spaces.zoo import ZOO, ZooSystem

from .view import Drawing, View


class UnknownNameError(UserError):
    """There is no device or task of that name."""


def oracle_view(device: str | None) -> View:
    """All device profiles, and one of them with the timings behind it."""
    names = device_names()
    name = _known(device, names, TASKS["isp"].device, "device")
    profile = load_profile(name)
    drawing = Drawing(
        "Predicted against measured",
        "A point is a network, predicted by a model that did not see it (or its family).",
        partial(predicted_against_measured, profile),
        480,
    )
    context = {
        "profiles": [(known, leave_one_out_errors(known)) for known in map(load_profile, names)],
        "profile": profile,
        "note": profile_note(profile),
        "prices": _prices(profile),
    }
    url = f"/figures/oracle?device={name}"
    return View("oracle.html", f"Oracle: {name}", name, context, {"measured": drawing}, url)


def zoo_view(studies: LiveStudies, task: str | None) -> View:
    """The published table of a task, the systems rebuilt from it, and our best beside them."""
    name = _known(task, tuple(TASKS), "isp", "task")
    facts = TASKS[name]
    drawing = Drawing(
        "Published",
        "Challenge data, run time measured on the challenge's phone.",
        partial(published_pareto, facts),
        600,
    )
    context = {
        "task": facts,
        "tasks": [TASKS[known] for known in TASKS],
        "published": Markup(markup.published_html(facts)),
        "systems": _rebuilt(name),
        "ours": _ours(studies, facts),
    }
    url = f"/figures/zoo?task={name}"
    return View("zoo.html", f"Zoo: {facts.title}", name, context, {"published": drawing}, url)


@dataclass(frozen=True)
class Rebuilt:
    """A published system as it is rebuilt here, and what the oracle says of it on its phone."""

    system: ZooSystem
    predicted_ms: float
    low_ms: float
    high_ms: float
    fallbacks: int


@cache
def _rebuilt(task: str) -> list[Rebuilt]:
    systems = [ZOO[name] for name in ZOO if ZOO[name].task == task]
    oracle = LatencyOracle(TASKS[task].device)
    found = []
    for system in systems:
        known = oracle.predict(system.trace())
        fallbacks = len(known.fallbacks)
        found.append(Rebuilt(system, known.ms, known.low_ms, known.high_ms, fallbacks))
    return sorted(found, key=lambda rebuilt: rebuilt.predicted_ms)


def _ours(studies: LiveStudies, task: Task) -> list[tuple[str, str, LeaderRow]]:
    """(study, its data, best row) of every study of the task that has one."""
    found = []
    for study in studies.overview():
        if study.task != task.name:
            continue
        results = studies.results(study.name).results
        rows = [row for row in leaderboard(results, trials=1) if not row.published_system]
        found += [(study.name, dataset_name(results), row) for row in rows[:1]]
    return found


def _prices(profile: DeviceProfile) -> str:
    """Whose kernel models a profile uses."""
    if profile.learned is None:
        return "linear prices, fitted to the timings"
    sources = "; ".join(
        f"{source.model.name}: {source.model.source.rstrip('.')}"
        for source in profile.learned.sources
    )
    return f"kernel models of {sources}"


def _known(given: str | None, names: tuple[str, ...], default: str, what: str) -> str:
    if given is None:
        return default
    if given not in names:
        raise UnknownNameError(f"unknown {what} {given[:40]!r}: one of {', '.join(names)}")
    return given
