"""For those who watch a server from outside: whether it lives, whether it takes messages, and its figures."""

from __future__ import annotations

from collections import Counter as Sum
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from clawmesh.api.call import require
from clawmesh.api.fault import answer, say
from clawmesh.api.mesh import Mesh
from clawmesh.api.operation import reasons
from clawmesh.errors import ClawmeshError
from clawmesh.server.request import Receive, Scope, Send
from clawmesh.version import VERSION

TEXT = b"text/plain; version=0.0.4; charset=utf-8"


class Health:
    """The routes of one mesh."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh

    async def alive(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer that this process runs."""
        await answer(send, {"status": "ok"})

    async def ready(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer whether messages are taken; 503 where they are not. Why is for those alone who have a token."""
        found = reasons(await self._mesh.everywhere("status"))
        await answer(send, {"status": "not ready" if found else "ok"}, status=503 if found else 200)

    async def metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the figures of all workers, in the text format of Prometheus (version 0.0.4)."""
        try:
            require(scope["state"]["token"], "operate")
            counts = await self._mesh.everywhere("counts")
        except ClawmeshError as error:
            await say(error, send)
            return
        registry = CollectorRegistry()
        registry.register(Figures(counts))
        await answer(send, generate_latest(registry), media=TEXT)


class Figures(Collector):
    """The counts of all workers as metrics; their labels are agents of the configuration and words of ours."""

    def __init__(self, workers: list[dict[str, Any]]) -> None:
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("clawmesh_info", "What runs; its value is always 1.", labels=["version"])
        info.add_metric([VERSION], 1)
        yield info
        yield self._counter("clawmesh_messages", "Messages accepted.", ["kind"], "accepted")
        yield self._counter("clawmesh_outcomes", "Messages that have ended.", ["agent", "ending"], "endings")
        yield self._counter("clawmesh_tokens", "Tokens that model calls used.", ["agent", "direction"], "tokens")
        yield self._gauge("clawmesh_messages_under_way", "Messages that have not ended.", "under_way")
        yield self._gauge("clawmesh_messages_in_line", "Messages that wait to be let in.", "line")
        yield self._gauge("clawmesh_sessions_warm", "Sessions in memory.", "warm")
        yield self._gauge("clawmesh_resident_memory_bytes", "Memory that the process holds.", "rss")

    def _counter(self, name: str, text: str, labels: list[str], field: str) -> Metric:
        family = CounterMetricFamily(name, text, labels=labels)
        sums: Sum[tuple[str, ...]] = Sum()
        for worker in self._workers:
            counts = worker[field]
            rows = counts.items() if isinstance(counts, dict) else ((tuple(row[:-1]), row[-1]) for row in counts)
            for key, count in rows:
                sums[(key,) if isinstance(key, str) else key] += count
        for key in sorted(sums):
            family.add_metric([*key], sums[key])
        return family

    def _gauge(self, name: str, text: str, field: str) -> Metric:
        family = GaugeMetricFamily(name, text, labels=["worker"])
        for worker in self._workers:
            family.add_metric([str(worker["worker"])], worker[field])
        return family
