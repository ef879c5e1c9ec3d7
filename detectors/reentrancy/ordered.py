"""The ordered pass: what an inner activation saw or changed while its contract waited, and what the waiting one wrote later.

R1 stale read: I read a slot, then O writes another value. R2 lost update: O read a slot, I wrote it, O writes it again.
R5: the contract's own ether and token balances are slots too. R7 needs what was read by entries that failed.
"""

from collections.abc import Hashable

import msgspec

from detectors.execution.activations import TRACKED
from detectors.execution.frames import CALL, CREATE, CREATE2, SELFDESTRUCT, Access, Frame, Log
from detectors.reentrancy.structure import BALANCE_OF, TOKEN_CALLS, TOTAL_SUPPLY, TRANSFER, TRANSFER_FROM, Structure, argument

Key = tuple[str, Hashable]
"""What was read or written: ("slot", n), ("transient", n), ("ether", ""), ("token", token), or ("foreign", (contract, key)).

("supply", (token, key)) is where a token keeps the supply of a contract's shares, read and written by that contract's order.
"""

ETHER: Key = ("ether", "")
BALANCES = frozenset(("ether", "token"))
FOREIGN, SHARES = "foreign", "supply"
MOVES_ETHER = frozenset((CALL, CREATE, CREATE2, SELFDESTRUCT))
MOVES_TOKEN = frozenset((TRANSFER, TRANSFER_FROM))
TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

CONFLICTS = 256
"""Distinct conflicts kept of one transaction; each is already one too many."""

CODE_SLOTS = frozenset(
    (
        0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC,  # EIP-1967 implementation
        0xB53127684A568B3173AE13B9F8A6016E243E63B6E8EE1178D6A717850B5D6103,  # EIP-1967 admin
        0xA3F0AD74E5423AEBFD80D3EF4346578335A9A72AEAEE59FF6CB3582B35133D50,  # EIP-1967 beacon
    )
)
OWNER_SLOTS = frozenset(
    (
        *range(256),  # where Solidity and Vyper lay out simple variables; mappings are hashed far away
        0x9016D09D72D40FDAE2FD8CEAC6B6234C7706214FD39C1CD1E609A0528C199300,  # OpenZeppelin 5 Ownable, ERC-7201
    )
)

LATCH = 4
"""A slot that goes from below this to below this and back is a lock, not a balance."""


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """Outer activation `outer` acted on what inner activation `inner` saw (R1) or changed (R2). Counted by `rule`.

    `inner` is an activation of another contract when an outsider looked at the balance. `read` is what the inner one read (R1)
    or the outer one had read (R2), None when the trace does not say; `left` what the inner one wrote; `since` is the clock of
    the inner access.
    """

    rule: str
    outer: int
    inner: int
    key: Key
    read: int | None
    left: int | None
    written: int | None
    reread: bool
    since: int
    inner_wrote: bool
    torn: bool = False


class Touch(msgspec.Struct, frozen=True, gc=False):
    """Last access of an inner activation: value, activation, clock."""

    value: int | None
    act: int
    clock: int


class Books:
    """What one waiting activation knows of its contract's state."""

    __slots__ = ("first", "inner_read", "inner_wrote", "own", "pre", "reread")

    def __init__(self) -> None:
        self.pre: dict[Key, int | None] = {}
        """What it read before anything nested wrote it."""
        self.own: dict[Key, int | None] = {}
        self.first: dict[Key, int] = {}
        """When it first wrote something other than a lock."""
        self.reread: set[Key] = set()
        self.inner_read: dict[Key, Touch] = {}
        self.inner_wrote: dict[Key, Touch] = {}

    def afresh(self, key: Key) -> bool:
        """Did it touch this only after the inner call had written it, and read it anew first? Then it counts on from there.

        So a lender accrues the interest of what was borrowed in its loan's callback. A balance is no such slot: it moved with
        the payment, whether anybody read it before or not.
        """
        return key in self.inner_wrote and key in self.reread and key not in self.pre and key not in self.own


class Ordered:
    """One walk over frames and steps: fills `conflicts`, `acted`, `refused` and `taken`.

    `acted`: contract -> (clock, activation) whenever one outside U changed state or paid U. `refused`: failed entry -> was all
    it read a slot that the waiting activation had set (R7). `taken`: writes of a re-entered call to an owner slot (R8), as
    (activation, slot, value).
    """

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        self.acts = structure.acts
        self.conflicts: dict[tuple[str, int, int, str], Conflict] = {}
        self.acted: dict[str | None, list[tuple[int, int]]] = {}
        self.refused: dict[int, bool] = {}
        self.taken: list[tuple[int, int, int]] = []
        self._foreign = {outer: Books() for outer in structure.hosts}
        self._books = {outer: Books() for outers in structure.outers.values() for outer in outers}
        self._open: dict[str | None, list[int]] = {self.acts.ctx[inner]: [] for inner in structure.outers}
        self._open.update((self.acts.ctx[outer], []) for outer, _, _ in structure.looks)
        self._path: list[int] = []
        self._due: dict[int, tuple[str | None, str | None]] = {}
        self._clock = 0
        self._supplies = set[Key]()
        self._callers = {_number(ctx) for ctx in self.acts.ctx}
        self._balances_told = any(isinstance(step, Access) and step.op == "balance" for step in structure.execution.steps)

    def run(self) -> "Ordered":
        """Walk. Cost: at most a dozen updates an access, however deep the tree."""
        frames, alive, of = self.structure.frames, self.structure.alive, self.acts.of
        for i, step in self.structure.execution.walk():
            self._clock += 1
            if step is None:
                self._frame(i, frames[i], alive=alive[i])
            elif alive[i]:
                self._return_to(of[i])
                if isinstance(step, Access):
                    self._access(of[i], step)
                else:
                    self._log(of[i], step)
            elif isinstance(step, Access):
                self._refuse(of[i], step)
        self._return_to(-1)
        return self

    def _return_to(self, act: int) -> None:
        while self._path and self._path[-1] != act:
            done = self._path.pop()
            if done in self._due:
                self._moved(self.acts.ctx[done], *self._due.pop(done), done)
            opened = self._open.get(self.acts.ctx[done])
            if opened:
                opened.pop()

    def _frame(self, i: int, frame: Frame, *, alive: bool) -> None:
        act = self.acts.of[i]
        above = self.acts.parent[act] if self.acts.entry[act] == i else act
        self._return_to(above)
        if alive and frame.value and frame.type in MOVES_ETHER:
            source = self.acts.ctx[above] if above >= 0 else frame.sender
            self._moved(None, source, frame.to if frame.type == SELFDESTRUCT else frame.ctx, above)
        if above == act:
            return
        if alive:
            self._opens(act, above, frame)
        self._path.append(act)
        opened = self._open.get(frame.ctx)
        if opened is not None:
            opened.append(act)

    def _opens(self, act: int, above: int, frame: Frame) -> None:
        """A call that arrives somewhere new: it may look at a balance, move a token, or peek at a waiting contract."""
        if frame.selector == BALANCE_OF and above >= 0:
            self._look(above, argument(frame), ("token", frame.ctx or ""), _number(frame.output))
        elif not self.structure.execution.logged and frame.selector in MOVES_TOKEN:
            first, second = argument(frame), argument(frame, 1)
            source = self.acts.ctx[above] if above >= 0 else frame.sender
            self._due[act] = (source, first) if frame.selector == TRANSFER else (first, second)
        peeks = self.acts.static[act] and act in self.structure.outers and self.acts.ctx[above] not in self.structure.party
        if peeks and not self._balances_told:
            self._read(act, ETHER, None)

    def _access(self, act: int, step: Access) -> None:
        if step.op == "balance":
            self._look(act, step.address, ETHER, step.value)
            return
        key: Key = ("transient" if step.op[0] == "t" else "slot", step.slot)
        loads = step.op.endswith("load")
        self._shares(act, key, step.value, loads=loads)
        if self._foreign:
            self._elsewhere(act, (FOREIGN, (self.acts.ctx[act], key)), step.value, loads=loads)
        if loads:
            self._read(act, key, step.value)
            return
        self._act(self.acts.ctx[act], act)
        self._write(act, key, step.value)
        if act in self.structure.outers and step.op == "sstore" and self._takes(step.slot, step.value):
            self.taken.append((act, step.slot, step.value))

    def _takes(self, slot: int, value: int) -> bool:
        """Is this somebody taking the contract over: new code, or one of U written where owners are kept?"""
        return slot in CODE_SLOTS or (slot in OWNER_SLOTS and f"0x{value:040x}" in self.structure.party)

    def _look(self, act: int, holder: str | None, key: Key, value: int | None) -> None:
        """A balance is read: by its holder, or by somebody else while the holder waits (R5, R6)."""
        if self.acts.ctx[act] == holder:
            self._read(act, key, value)
            return
        opened = self._open.get(holder)
        for outer in (*opened[:TRACKED], *opened[TRACKED:][-TRACKED:]) if opened else ():
            if self.structure.outside(outer, act, holder) >= 0:
                self._books.setdefault(outer, Books()).inner_read[key] = Touch(value, act, self._clock)

    def _log(self, act: int, log: Log) -> None:
        self._act(self.acts.ctx[act], act)
        topics = log.topics
        if len(topics) >= 3 and topics[0] == TRANSFER_TOPIC and (len(topics) > 3 or _number(log.data) != 0):
            self._moved(log.address, "0x" + topics[1][-40:], "0x" + topics[2][-40:], act)

    def _moved(self, token: str | None, source: str | None, target: str | None, by: int) -> None:
        """Value went from `source` to `target`, by a frame of activation `by`: a write to both balances by who made it happen."""
        if source == target:
            return
        if target in self.structure.party and source not in self.structure.party:
            self._act(source, by)
        key = ETHER if token is None else ("token", token)
        for holder in (source, target):
            opened = self._open.get(holder)
            if opened and not self.structure.between_us(opened[-1], by):
                self._write(opened[-1], key, None)

    def acted_since(self, contract: str | None, clock: int, branch: int) -> bool:
        """Did `contract` change state or pay U after `clock`, within `branch` (before control returned to O)?"""
        last = self.acts.last[branch]
        return any(when > clock and branch <= act <= last for when, act in self.acted.get(contract, ()))

    def _act(self, contract: str | None, act: int) -> None:
        deeds = self.acted.setdefault(contract, [])
        if deeds and deeds[-1][1] == act:
            deeds.pop()
        deeds.append((self._clock, act))

    def _read(self, act: int, key: Key, value: int | None) -> None:
        for mine in (act, *self.structure.peers.get(act, ())):
            book = self._books.get(mine)
            if book is None:
                continue
            if key in book.inner_wrote:
                book.reread.add(key)
                if key in book.pre and key[0] in BALANCES:  # counted before and after, with a payment of its own in the middle
                    self._conflict("R5", mine, book.inner_wrote[key], book, key, read=book.pre[key], written=value)
            if key not in book.inner_wrote or key[0] in BALANCES:
                book.pre.setdefault(key, value)
        for outer in self.structure.outers.get(act, ()):
            self._books[outer].inner_read[key] = Touch(value, act, self._clock)

    def _write(self, act: int, key: Key, value: int | None) -> None:
        for mine in (act, *self.structure.peers.get(act, ())):
            book = self._books.get(mine)
            if book is not None:
                self._weigh(mine, book, key, value)
                book.own[key] = value
                if value is None or not self._locks(value):
                    book.first.setdefault(key, self._clock)
        for outer in self.structure.outers.get(act, ()):
            self._books[outer].inner_wrote.setdefault(key, Touch(value, act, self._clock))

    def _shares(self, act: int, slot: Key, value: int, *, loads: bool) -> None:
        """A contract whose shares are a token apart: what it has that token read and write of the supply is its own book."""
        keeper = self.acts.parent[act]
        if keeper not in self._books and keeper not in self.structure.outers:
            return
        key: Key = (SHARES, (self.acts.ctx[act], slot))
        if loads and self.structure.frames[self.acts.entry[act]].selector == TOTAL_SUPPLY:
            self._supplies.add(key)
        if key in self._supplies:
            if loads:
                self._read(keeper, key, value)
            else:
                self._write(keeper, key, value)

    def _elsewhere(self, act: int, key: Key, value: int, *, loads: bool) -> None:
        """Books kept in another contract: the access belongs to whoever, not of U, had it made (`on_behalf`)."""
        if self.structure.frames[self.acts.entry[act]].selector in TOKEN_CALLS:
            return  # a token is everybody's ledger: R5 looks at it through the balances that matter
        chain, waiting = self.structure.on_behalf(act)
        for mine in chain:
            book = self._foreign.get(mine)
            if book is not None and loads:
                if key in book.inner_wrote:
                    book.reread.add(key)
                else:
                    book.pre.setdefault(key, value)
            elif book is not None:
                self._weigh(mine, book, key, value)
                book.own[key] = value
        touch = Touch(value, chain[-1] if chain else act, self._clock)
        for outer in waiting:
            if loads:
                self._foreign[outer].inner_read[key] = touch
            else:
                self._foreign[outer].inner_wrote.setdefault(key, touch)

    def _weigh(self, outer: int, book: Books, key: Key, value: int | None) -> None:
        """Is O's write of `key` at odds with what was seen or done while it waited?"""
        if key[0] not in BALANCES and book.afresh(key):
            return
        seen, changed = book.inner_read.get(key), book.inner_wrote.get(key)
        if seen is not None and (value is None or seen.value != value) and not self._latch(book, key, seen.value, value):
            self._conflict("R1", outer, seen, book, key, read=seen.value, written=value)
        if changed is not None and key in book.pre:
            self._conflict("R2", outer, changed, book, key, read=book.pre[key], written=value)

    def _latch(self, book: Books, key: Key, seen: int | None, value: int | None) -> bool:
        """A lock being released: O had set it, the inner call saw it set and left it alone, O puts back what was there.

        What a lock holds while it is set is a small number, or the address of whom it was opened for. It may share its slot with
        other state that stands: then one byte alone changes, back to what it was (Uniswap V3 keeps its lock beside its price).
        """
        held = book.own.get(key)
        if held is None or value is None or seen != held or key in book.inner_wrote:
            return False
        before = book.pre.get(key, 0)
        return (self._locks(held) and value < LATCH and value == before) or _byte_back(before, held, value)

    def _locks(self, value: int) -> bool:
        """May this be what a lock holds?"""
        return value < LATCH or value in self._callers

    def _conflict(
        self, rule: str, outer: int, inner: Touch, book: Books, key: Key, *, read: int | None, written: int | None
    ) -> None:
        name = (rule, outer, inner.act, key[0])
        if name in self.conflicts or len(self.conflicts) >= CONFLICTS:
            return
        changed = book.inner_wrote.get(key)
        self.conflicts[name] = Conflict(
            rule=rule,
            outer=outer,
            inner=inner.act,
            key=key,
            read=read,
            left=changed.value if changed is not None else None,
            written=written,
            reread=key in book.reread,
            since=inner.clock,
            inner_wrote=bool(book.inner_wrote),
            torn=any(book.first.get(other, inner.clock) < seen.clock for other, seen in book.inner_read.items() if other != key),
        )

    def _refuse(self, act: int, step: Access) -> None:
        """A read in an activation that failed at its very entry while its contract waited: was it a lock?"""
        if step.op not in ("sload", "tload") or act not in self.structure.outers:
            return
        if self.structure.frames[self.acts.entry[act]].ok or step.slot in CODE_SLOTS:
            return
        key: Key = ("transient" if step.op == "tload" else "slot", step.slot)
        locked = any(key in self._books[outer].own for outer in self.structure.outers[act])
        self.refused[act] = locked and self.refused.get(act, True)


def _byte_back(before: int | None, held: int, value: int) -> bool:
    """Do two words differ in one byte only, a small number in both, which is now again what it was before?"""
    changed = held ^ value
    if before is None or not changed:
        return False
    shift = (changed.bit_length() - 1) // 8 * 8
    old, now = held >> shift & 0xFF, value >> shift & 0xFF
    return changed >> shift << shift == changed and old < LATCH and now < LATCH and now == before >> shift & 0xFF


def _number(word: str | None) -> int | None:
    """The first word of a hex text, None when it is not there or not hex."""
    try:
        return int(word[2:66], 16) if word is not None else None
    except ValueError:
        return None
