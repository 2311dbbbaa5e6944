"""The arithmetic as tables in Markdown."""

from collections.abc import Callable, Mapping, Sequence

from benchmarks.report import table
from benchmarks.scaling.inputs import Input
from benchmarks.scaling.plan import Journal, Limit, Plan

_SECTIONS: Mapping[str, Mapping[str, Callable[[Plan], str]]] = {
    "Workers": {
        "workers over HTTP": lambda plan: f"{plan.workers:,}",
        "as instances of Cloud Run": lambda plan: f"{plan.instances:,}",
        "over typed gRPC": lambda plan: f"{plan.typed:,}",
        "if each request were an explanation": lambda plan: f"{plan.explained:,}",
        "requests in flight in each": lambda plan: f"{plan.in_flight:.0f}",
    },
    "Cost": {
        "Cloud Run, billed by instance": lambda plan: _dollars(plan.by_instance),
        "Cloud Run, billed by request": lambda plan: _dollars(plan.by_request),
        "nodes of 8 vCPU": lambda plan: f"{plan.nodes:,}",
        "Kubernetes on them": lambda plan: _dollars(plan.cluster),
        "the journal as a structured log, Cloud Run": lambda plan: _dollars(plan.instance_journal.dollars),
        "the journal as a structured log, Kubernetes": lambda plan: _dollars(plan.pod_journal.dollars),
    },
    "What comes with it": {
        "requests and answers": lambda plan: f"{plan.gigabits:,.3g} Gbit/s",
        "series in Prometheus": lambda plan: f"{plan.series:,.0f}",
        "samples a second": lambda plan: f"{plan.samples:,.0f}",
        "rows that the journal records, Cloud Run": lambda plan: _recorded(plan.instance_journal),
        "rows that the journal records, Kubernetes": lambda plan: _recorded(plan.pod_journal),
        "the journal, Cloud Run": lambda plan: f"{plan.instance_journal.gibibytes:,.0f} GiB a month",
        "the journal, Kubernetes": lambda plan: f"{plan.pod_journal.gibibytes:,.0f} GiB a month",
        "pulled for a new image": lambda plan: f"{plan.pulled:,.1f} GB",
        "refused if the load doubles at once, Kubernetes": lambda plan: f"{plan.refused:,.0f}",
        "waiting for a start if it does, Cloud Run": lambda plan: f"{plan.waiting:,.0f}",
    },
}


def rendered(plans: Sequence[Plan], reached: Sequence[Limit], inputs: Mapping[str, Input]) -> str:
    """All tables: what each load takes, which limits are reached when, and what all of it starts from."""
    heads = ["a second", *(f"{plan.load:,.0f}" for plan in plans)]
    parts = [
        f"**{title}**\n\n" + table(heads, [[what, *(cell(plan) for plan in plans)] for what, cell in rows.items()])
        for title, rows in _SECTIONS.items()
    ]
    broken = [[f"{limit.load:,.0f}", limit.what, limit.remedy] for limit in reached]
    parts.append("**What breaks first**\n\n" + table(["requests a second", "limit", "remedy"], broken))
    given = [[f"`--{name}`", _plain(each.value), each.unit, each.source] for name, each in inputs.items()]
    parts.append("**Inputs**\n\n" + table(["flag", "value", "of what", "from"], given))
    return "\n\n".join(parts)


def _recorded(journal: Journal) -> str:
    return f"{journal.rows:,.0f}/s, {100 * journal.share:.1f} %"


def _dollars(amount: float) -> str:
    return f"{amount:,.0f} USD a month"


def _plain(value: float) -> str:
    """A number without an exponent, however small."""
    return f"{value:,.7f}".rstrip("0").rstrip(".")
