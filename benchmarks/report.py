"""The report in Markdown: a section for each measure, with its targets, and the machine."""

import datetime
import os
import platform
import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

HEAD = "# Measured by `make bench`\n"


class Target(NamedTuple):
    """A target, and whether it was reached."""

    what: str
    measured: str
    wanted: str
    reached: bool


class Section(NamedTuple):
    """One part of the report, below its title."""

    explanation: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    targets: Sequence[Target] = ()


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def rendered(section: Section, how: str) -> str:
    """A section's text below its title; `how` says when and how it was measured."""
    parts = [section.explanation, table(section.heads, section.rows)]
    if section.targets:
        verdicts = [[*target[:3], "reached" if target.reached else "**missed**"] for target in section.targets]
        parts.append(table(["target", "measured", "wanted", ""], verdicts))
    return "\n\n".join([*parts, how])


def merged(old: str, new: dict[str, str], order: Sequence[str]) -> str:
    """The report, with new sections in place of the old ones of the same title."""
    parts = re.split(r"^## (.*)\n", old, flags=re.MULTILINE)
    sections = {title: text.strip() for title, text in zip(parts[1::2], parts[2::2], strict=True)} | new
    titles = [title for title in order if title in sections]
    return "\n".join([HEAD, *(f"## {title}\n\n{sections[title]}\n" for title in titles)])


def median(values: Iterable[float]) -> float:
    """The median of the rounds."""
    return statistics.median(values)


def machine() -> str:
    """A description of this machine."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    cores = len(os.sched_getaffinity(0))
    memory = psutil.virtual_memory().total / 2**30
    python = platform.python_version()
    processor = f"{cores} cores ({model[1]})" if model else f"{cores} cores"
    return f"{processor}, {memory:.0f} GiB, Linux {platform.release()}, Python {python}"


def how(bento: str, rounds: int) -> str:
    """A line that says what was measured, when, where and how often."""
    today = datetime.datetime.now(tz=datetime.UTC).date()
    times = "measured once" if rounds == 1 else f"medians of {rounds} interleaved rounds"
    return f"{today}, {bento}, {times}; {machine()}, load average afterwards {os.getloadavg()[0]:.1f}."
