"""One wish at a time is let in: who has had it, what it costs, who agreed to it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from seedream_daemon.daemon.wishes import Wish
from seedream_daemon.tools.call import Call
from seedream_daemon.tools.claims import Claims, call_digest
from seedream_daemon.tools.plans import usd
from seedream_daemon.tools.purse import Purse
from seedream_daemon.tools.refusal import ToolRefusedError
from seedream_daemon.tools.shelf import Shelf

if TYPE_CHECKING:
    from seedream_daemon.daemon.service import Service

_HALF_A_CENT = 0.005 + 1e-9
NOT_CONFIRMED = (
    "the client did not confirm and may have asked nobody; ask in the chat, then call again with "
    "confirm_usd"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A call that wants to spend.

    `price` is the most that it costs, in micro-dollars, None if nobody knows. `said` says for
    the person what it would make. `make` makes the job and gives its job_id. `job_id` is the
    job that goes on, None for a new one; `ours` says that tools began it.
    """

    tool: str
    arguments: Mapping[str, Any]
    price: int | None
    said: str
    make: Callable[[Wish], Awaitable[str]]
    request_key: str | None = None
    confirm_usd: float | None = None
    job_id: str | None = None
    ours: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """The job that a call is about; `delivery` is for `Admission.leave`."""

    job_id: str
    repeated: bool
    delivery: object


class Admission:
    """Lets wishes in, so that no key, cap or confirmation is passed by two calls at once."""

    def __init__(self, service: "Service", shelf: Shelf) -> None:
        self._service = service
        self._shelf = shelf
        state = service.settings.state_dir
        self.claims = Claims(state / "tool-answers.json")
        self.purse = Purse(service.settings, service.engine.means.ledger, state / "tool-money.json")
        self._turn = anyio.Lock()
        self._ready = False

    async def find(
        self, tool: str, arguments: Mapping[str, Any], key: str | None, call: Call
    ) -> Admitted | None:
        """Give the job that an equal wish has become already. Raises ToolRefusedError."""
        async with self._turn:
            return await self._find(tool, arguments, key, call)

    async def admit(self, order: Order, call: Call) -> Admitted:
        """Let a wish in, asking the person where that is called for. Raises ToolRefusedError."""
        async with self._turn:
            known = await self._find(order.tool, order.arguments, order.request_key, call)
            if known is not None:
                return known
            price = await self._affordable(order)
            must_agree = await self.purse.needs_confirmation(price, self._live())
        agreed = await self._agreed(order, call, price, must_agree=must_agree)
        async with self._turn:
            known = await self._find(order.tool, order.arguments, order.request_key, call)
            if known is not None:
                return known
            await self._affordable(order)
            if not agreed and await self.purse.needs_confirmation(price, self._live()):
                raise self._unconfirmed(order)
            with anyio.CancelScope(shield=True):
                made = await self._make(order, call, price, agreed=agreed)
        return made

    def leave(self, admitted: Admitted, *, cut: bool) -> None:
        """Note that a call has ended; `cut` if it has no reply."""
        self.claims.end(admitted.delivery, cut=cut)

    async def job_of_task(self, task_id: str) -> tuple[str, str] | None:
        """Give job and tool of a task."""
        await self._get_ready()
        return self.claims.job_of_task(task_id)

    async def over_budget(self, price: int) -> bool:
        """Whether a limit of money forbids a job of this price now."""
        return await self.purse.lack(price, self._live()) is not None

    async def needs_confirmation(self, price: int) -> bool:
        """Whether a job of this price would have to be agreed to now."""
        return await self.purse.needs_confirmation(price, self._live())

    def answered(self, job_id: str) -> None:
        """Note that a client was told of a job."""
        if self.claims.answered(job_id):
            self._service.soon(self._save)

    async def _save(self) -> None:
        await anyio.to_thread.run_sync(self.claims.save)

    def _live(self) -> frozenset[str]:
        waiting = (drop.job_id for drop in self._service.watcher.waiting)
        return frozenset((*self._service.jobs.live, *waiting))

    async def _get_ready(self) -> None:
        """Learn from journals and files what was wished for before this process."""
        if self._ready:
            return
        await anyio.to_thread.run_sync(self.claims.load)
        await anyio.to_thread.run_sync(self.purse.load)
        for fact in await anyio.to_thread.run_sync(self._shelf.learn):
            self.claims.learn(fact.fields, at=fact.at)
        for job in self._service.jobs.live.values():
            if job.wish is not None:
                facts = {**job.wish.facts(), "job_id": job.job_id}
                self.claims.learn(facts, at=job.created)
        self._ready = True

    async def _find(
        self, tool: str, arguments: Mapping[str, Any], key: str | None, call: Call
    ) -> Admitted | None:
        await self._get_ready()
        keys = (
            key and f"key {key}",
            call.confirmation_key and f"confirmation {call.confirmation_key}",
        )
        digest = call_digest(arguments)
        while (job_id := self.claims.find(tool, digest, *keys)) is not None:
            if await self._is_there(job_id):
                delivery = self.claims.begin(tool, digest, job_id, {})
                return Admitted(job_id=job_id, repeated=True, delivery=delivery)
            self.claims.forget(job_id)
        return None

    async def _is_there(self, job_id: str) -> bool:
        """Whether a job still is known: its keys live as long as its session."""
        if job_id in self._live():
            return True
        row = self._service.jobs.ended.get(job_id)
        if row is not None and row.get("session") is None:
            return True
        return await anyio.to_thread.run_sync(self._shelf.session_of, job_id) is not None

    async def _affordable(self, order: Order) -> int:
        if self._service.engine.stopping:
            raise ToolRefusedError(
                "no_daemon", "The daemon is stopping. Ask again in about 30 s; nothing was sent."
            )
        if self._service.engine.means.gate.pause is not None:
            raise ToolRefusedError(
                "account_refused",
                "The image service refuses the account: the key, the model or the credit. Nothing "
                "was sent; ask the operator to run `seedream-daemon doctor`.",
            )
        if order.price is None:
            raise ToolRefusedError(
                "price_unknown",
                "Nobody knows what this model costs, so tools may not use it. Use another model, "
                "or ask the operator to set PRICE_PER_IMAGE_USD.",
            )
        await self.purse.refuse_lack(order.price, self._live(), order.job_id, ours=order.ours)
        return order.price

    async def _agreed(self, order: Order, call: Call, price: int, *, must_agree: bool) -> bool:
        """Whether the person agreed to this price; False where nobody had to."""
        shown = usd(price) or 0.0
        if order.confirm_usd is not None:
            if abs(order.confirm_usd - shown) > _HALF_A_CENT:
                raise ToolRefusedError(
                    "price_changed",
                    f"This costs at most ${shown:.2f} now, not ${order.confirm_usd:.2f}. Nothing "
                    "was sent. Tell the user the price, then call again with it in confirm_usd.",
                )
            return True
        if not must_agree:
            return False
        if call.ask is None:
            raise self._unconfirmed(order)
        answer: bool | None = None
        with anyio.move_on_at(call.deadline):
            answer = await call.ask(f"{order.said} This costs at most ${shown:.2f}. Go on?")
        if answer is not True:
            raise self._unconfirmed(order)
        return True

    def _unconfirmed(self, order: Order) -> ToolRefusedError:
        limit = usd(self._service.settings.mcp_confirm_usd) or 0.0
        return ToolRefusedError(
            "needs_confirmation",
            f"This costs at most ${usd(order.price) or 0.0:.2f}, and what tools spend beyond "
            f"${limit:.2f} must be agreed to; {NOT_CONFIRMED} {usd(order.price) or 0.0:.2f}.",
        )

    async def _make(self, order: Order, call: Call, price: int, *, agreed: bool) -> Admitted:
        digest = call_digest(order.arguments)
        wish = Wish(
            tool=order.tool,
            call=digest,
            price_micro_usd=price,
            request_key=order.request_key,
            confirmation_key=call.confirmation_key,
            task_id=call.task_id,
        )
        job_id = await order.make(wish)
        await self.purse.promise(job_id, price, confirmed=agreed)
        delivery = self.claims.begin(order.tool, digest, job_id, wish.facts())
        return Admitted(job_id=job_id, repeated=False, delivery=delivery)
