"""Tasks found in the journal: one by its id, or many, newest first.

Source: A2A specification 1.0, sections 3.1.3, 3.1.4 and 13.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from clawmesh.a2a.fault import INVALID_PARAMS, A2aError
from clawmesh.a2a.mesh import Holder
from clawmesh.a2a.request import Listing
from clawmesh.a2a.task import is_task, shortened, task_of, updated
from clawmesh.a2a.values import Task, Value
from clawmesh.abc.journal import Story
from clawmesh.agent.story import Account, read_all
from clawmesh.journal.archive import Archive
from clawmesh.mesh.address import Address

# The newest of a session that are looked at, and of all of them.
SESSION, ALL = 100, 1000


class Page(Value, frozen=True, kw_only=True, omit_defaults=False):
    """ListTasksResponse: all of its fields are always there."""

    tasks: Sequence[Task]
    next_page_token: str
    page_size: int
    total_size: int


class Found(Struct, frozen=True):
    """A task's account, those of its session, and where it was looked for by its id, its story."""

    account: Account
    session: Sequence[Account]
    story: Story = ()


def find(archive: Archive, id: str, agent: str, holder: Holder) -> Found | None:
    """Return a task that the holder may know of, None where there is none; raises StorageError as the archive does."""
    story = archive.story(id)
    accounts = read_all([story])
    if not accounts or not is_task(accounts[0], agent, holder):
        return None
    session = read_all(archive.session(accounts[0].envelope.to, SESSION))
    return Found(accounts[0], session, story)


def page(archive: Archive, agent: str, holder: Holder, listing: Listing) -> Page:
    """Return tasks that the holder may know of, those that changed last first.

    Raises:
        A2aError: the page's token is none.
        StorageError: the journal cannot be read.
    """
    found = sorted(_wanted(archive, agent, holder, listing), key=_place, reverse=True)
    following = [each for each in found if _place(each) < _cursor(listing.page_token)] if listing.page_token else found
    shown = following[: listing.page_size]
    more = len(following) > len(shown)
    at, id = _place(shown[-1]) if more else (0.0, "")
    tasks = [task_of(each.account, each.session, holder, artifacts=listing.include_artifacts) for each in shown]
    cut = [shortened(task, listing.history_length) for task in tasks]
    return Page(tasks=cut, next_page_token=f"{at!r}~{id}" if more else "", page_size=len(cut), total_size=len(found))


def _wanted(archive: Archive, agent: str, holder: Holder, listing: Listing) -> list[Found]:
    after = listing.status_timestamp_after.timestamp() if listing.status_timestamp_after else 0.0
    found: list[Found] = []
    for session in _sessions(archive, agent, holder, listing.context_id):
        accounts = read_all(archive.session(session, SESSION))
        for account in accounts:
            if not is_task(account, agent, holder) or updated(account) < after:
                continue
            state = task_of(account, accounts, holder, artifacts=False).status.state
            if listing.status in (None, state):
                found.append(Found(account, accounts))
        if len(found) >= ALL:
            break
    return found


def _sessions(archive: Archive, agent: str, holder: Holder, context: str) -> Iterable[str]:
    """Return the holder's sessions, those that were used last first."""
    if context:
        return [str(holder.inside(agent, context))]
    sizes = [each for each in archive.sessions(agent) if holder.owns(Address.parse(each.session))]
    return [each.session for each in sorted(sizes, key=lambda each: each.used, reverse=True)]


def _place(found: Found) -> tuple[float, str]:
    return updated(found.account), found.account.id


def _cursor(token: str) -> tuple[float, str]:
    at, _, id = token.partition("~")
    try:
        return float(at), id
    except ValueError as error:
        raise A2aError(INVALID_PARAMS, "this is no token of a page", field="pageToken") from error
