"""Between a vendor that speaks when it likes and our side, which asks for replies: a state machine without asyncio, clock or sockets.

What the vendor says waits here until a reply of ours claims it. Where nobody has asked yet, our side is told: by a sign that the caller's
turn is over (``TurnSignal``), or where the caller has said nothing since, by an offer (``SpokeUnasked``). What nobody claims is
dropped, and the vendor told that it was not heard. A reply that finds nothing waits for the vendor to begin; in time it is nudged, once.

Time is ``now_s`` of any clock that only goes forward. What follows from a call is in ``out``, in its order, until it is taken.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import replace

from antiphon.providers.base import StopReason, TurnSignal
from antiphon.providers.speech_to_speech.base import (
    OwnTurnEvent,
    ReplyEndsCall,
    ReplyFailed,
    ReplyOver,
    ReplyTransfersCall,
    ReplyWords,
    SpokenReplyEvent,
)
from antiphon.providers.speech_to_speech.held_turns import HeldTurns
from antiphon.providers.speech_to_speech.memory import letters
from antiphon.providers.speech_to_speech.own_requests import AnswerNext, Asked, Nudge, SayWords, TurnLimits
from antiphon.providers.speech_to_speech.told_memory import SessionMemory
from antiphon.providers.speech_to_speech.vendor_turn import SETTLED_S, SILENT_S, VendorTurn
from antiphon.vocabulary import ToolCall

_REMEMBERED_REPLIES = 4
_MOST_WORDS_AHEAD = 20_000
"""Characters of words whose sound has not begun."""


Out = SpokenReplyEvent | OwnTurnEvent | TurnSignal | AnswerNext | Nudge | SayWords


class OwnTurns:
    def __init__(
        self, memory: SessionMemory, limits: TurnLimits | None = None, *, tells_own_words: bool = True
    ) -> None:
        """``memory`` is told what the vendor says, and what was heard of it. ``tells_own_words``: words that come before their sound are
        the vendor's own, and none of ours."""
        self._tells_own_words = tells_own_words
        self._memory = memory
        self._limits = limits or TurnLimits()
        self.out: deque[Out] = deque()
        self.up = False
        """Whether there is a session. Set by whoever keeps it."""
        self._now: VendorTurn | None = None
        """What is being said."""
        self._held = HeldTurns(self._limits)
        """What nobody has claimed; what is being said may be the last of it."""
        self._asked: deque[Asked] = deque()
        self._made: OrderedDict[int, list[VendorTurn]] = OrderedDict()
        self._words_ahead: list[tuple[str, str]] = []
        """Words, and the vendor's names of what they are of, whose sound has not begun."""
        self._ends: ReplyEndsCall | ReplyTransfersCall | None = None
        """How the vendor has ended the call, while something of it waits to be heard."""
        self._late = False
        """The vendor has said so, of what it has not begun."""
        self._latest = 0
        """The caller's latest utterance."""
        self._unanswered = 0
        """The same, until a reply is asked for."""

    @property
    def idle(self) -> bool:
        """Whether nothing is waited for: ``look`` needs not be called."""
        now = self._now
        return not self._asked and not self._held and (now is None or (now.ended_s is None and not now.untold))

    @property
    def speaks(self) -> bool:
        """Whether the vendor is saying something."""
        return self._now is not None

    @property
    def coming(self) -> VendorTurn | None:
        """What the vendor answers, or would, if it was asked now."""
        now = self._asked[0].turn if self._asked else None
        return now or self._held.first

    @property
    def waiting(self) -> bool:
        """Whether an answer is asked for of which nothing has come."""
        return any(asked.text is None and asked.turn is None for asked in self._asked)

    # ---------------------------------------------------------------------------------------------- our side

    def utterance(self, number: int) -> None:
        """The caller speaks."""
        self._latest = self._unanswered = number

    def respond(self, reply: int, now_s: float, *, first: bool = False) -> None:
        """``first``: nobody has said anything yet."""
        self._ask(Asked(reply, None, now_s, self._latest, first), now_s)
        self._unanswered = 0

    def say(self, reply: int, text: str, now_s: float) -> None:
        self._ask(Asked(reply, text, now_s), now_s)

    def _ask(self, asked: Asked, now_s: float) -> None:
        self._asked.append(asked)
        self._made.setdefault(asked.reply, [])
        while len(self._made) > _REMEMBERED_REPLIES:
            self._made.popitem(last=False)
        self._place(now_s)

    def cancel(self, reply: int, heard_ms: int, now_s: float) -> None:
        for asked in self._asked:
            if asked.reply == reply:
                self._held.abandon(asked, now_s)
        self._asked = deque(asked for asked in self._asked if asked.reply != reply)
        self._drop_told(reply)
        left_ms = float(heard_ms)
        for turn in self._made.pop(reply, []):
            if not turn.over or left_ms < turn.audio_ms:
                turn.give_up(max(left_ms, 0.0))
            left_ms -= turn.audio_ms
        self._place(now_s)

    def _drop_told(self, reply: int) -> None:
        """What was not taken of it yet is told no more."""
        self.out = deque(each for each in self.out if getattr(each, "reply", 0) != reply)

    def asked_for(self, reply: int, now_s: float) -> None:
        """The vendor has been asked for it with what it was told."""
        for asked in self._asked:
            if asked.reply == reply and asked.text is None and asked.sent_s is None:
                asked.sent_s = now_s

    # ---------------------------------------------------------------------------------------------- the vendor's side

    def began(self, now_s: float, *, verbatim: bool | None = None) -> None:
        """The vendor begins to speak."""
        now = self._now
        if now is not None and now.ended_s is None and not now.audio_ms:
            now.verbatim = verbatim if now.verbatim is None else now.verbatim
            return  # told twice
        if now is not None and now.untold and now.ended_s is None and now_s - now.began_s < SETTLED_S:
            now.untold = False  # told after its first sound
            return
        self._begin(now_s, verbatim)

    def _begin(self, now_s: float, verbatim: bool | None = None, *, untold: bool = False) -> VendorTurn:
        if self._now is not None:
            self._finish(self._now, now_s)
        self._held.drop_older(self._latest)
        self._late = False
        turn = self._now = VendorTurn(now_s, self._latest, verbatim, now_s, untold=untold)
        ahead = "".join(text for text, _ in self._words_ahead)
        if ahead:
            turn.name = self._words_ahead[0][1]
            turn.words(ahead)
            self._words_ahead.clear()
            if verbatim is None and self._tells_own_words:
                turn.verbatim = self._are_ours(ahead)
        self._held.add(turn)
        self._place(now_s)
        return turn

    def sourced(self, *, verbatim: bool) -> None:
        """The vendor says where the words of what it says come from."""
        now = self._now
        if now is not None and not now.reply and now.verbatim is None:
            now.verbatim = verbatim

    def words(self, text: str, name: str = "", *, after: bool = False) -> None:
        """Words of what is being said or will be; ``name``: the vendor's of what they belong to. ``after``: written down from its sound,
        which counts where it was not told the words before."""
        now = self._now
        if not text:
            return
        if after:
            if now is not None and not now.item.text:
                now.words(text)
                self._hand_on(now)
        elif now is not None and now.ended_s is None and (not name or now.name in ("", name)):
            now.name = now.name or name
            now.words(text)
            self._hand_on(now)
        else:
            if self._words_ahead and self._words_ahead[-1][1] != name:
                self._words_ahead.clear()  # of an answer that was never spoken
            if sum(len(each) for each, _ in self._words_ahead) < _MOST_WORDS_AHEAD:
                self._words_ahead.append((text, name))

    def sound(self, audio: bytes, duration_ms: float, now_s: float, *, silent: bool = False) -> None:
        """``silent``: there is nothing to be heard in it."""
        past = self._now is None or (self._now.ended_s is not None and now_s - self._now.ended_s > SETTLED_S)
        if past and silent:
            return
        turn = self._heard_now(now_s, new=past)
        if silent and turn.ended_s is not None:
            return
        if silent and turn.untold:
            turn.pause(audio, duration_ms)
            return
        if not silent:
            turn.told_s = now_s
            turn.go_on()
        turn.sound(audio, duration_ms)
        self._hand_on(turn)
        self._held.drop_what_is_too_much()

    def spoken(self, text: str, now_s: float) -> None:
        """Words of what is being heard, from a vendor that tells nothing else of its turns: where they are more than our side has asked
        for, another turn has begun without a pause."""
        now = self._now
        more = now is not None and bool(now.verbatim) and len(now.voiced) >= len(letters(now.item.text))
        now = self._heard_now(now_s, new=more)
        now.told_s = now_s
        if now.verbatim:
            now.voiced += letters(text)
        else:
            now.words(text)
            self._hand_on(now)

    def _heard_now(self, now_s: float, *, new: bool) -> VendorTurn:
        """What is being said, or begins with what was heard now (``new``: it does)."""
        now = self._now
        return self._begin(now_s, untold=True) if new or now is None else now

    def caller_heard(self, now_s: float) -> None:
        """The vendor has words of the caller's: what it says from now on is not more of what nobody wanted to hear."""
        now = self._now
        if now is not None and now.untold and now.unwanted and self._latest > now.follows:
            self._finish(now, now_s)

    def asks_for(self, call: ToolCall, now_s: float) -> None:
        """The vendor's model wants a tool: with what it is saying, or as a turn of its own. Its answer is another turn."""
        if self._now is None:
            self._now = VendorTurn(now_s, self._latest, False, now_s, untold=True)
            self._held.add(self._now)
        turn = self._now
        turn.ask_for(call)
        self._hand_on(turn)
        self._finish(turn, now_s)
        self._place(now_s)

    def ended(self, now_s: float) -> None:
        """The vendor says that it has finished."""
        if self._now is not None and self._now.ended_s is None:
            self._now.ended_s = now_s

    def interrupted(self, now_s: float) -> None:
        """The vendor has heard the caller, and takes back what it was saying or about to say."""
        self._words_ahead.clear()
        now, self._now = self._now, None
        if now is not None:
            now.cut = True
            self._finish(now, now_s)
        self._held.drop_all()
        self._place(now_s)

    def ends_call(self, now_s: float, destination: str = "") -> None:
        """The vendor's assistant has ended the call, or hands it over to ``destination``: told once what it has said before was claimed."""
        if self._now is not None:
            self._finish(self._now, now_s)
        self._ends = ReplyTransfersCall(0, destination) if destination else ReplyEndsCall(0)
        self._place(now_s)
        waiting = [asked for asked in self._asked if asked.turn is None and not self._held]
        self._asked = deque(asked for asked in self._asked if asked not in waiting)
        self._place(now_s)
        for asked in waiting:  # nothing more comes of them
            over = ReplyOver(asked.reply) if asked.text is None else ReplyFailed(asked.reply, "the call was ended")
            self.out.append(over)

    def hangs(self, now_s: float) -> None:
        """The vendor says that it is late."""
        self._late = True
        self._place(now_s)

    def _are_ours(self, words: str) -> bool:
        """Whether they are what the vendor was told to say: of its own answers words are told before the sound."""
        asked = self._asked[0] if self._asked else None
        said = letters(words)
        return asked is not None and asked.text is not None and bool(said) and letters(asked.text).startswith(said)

    # ---------------------------------------------------------------------------------------------- the session's life

    def lost(self, now_s: float) -> None:
        """The session is gone, and another will be. A reply of which nothing was heard is asked for again, once."""
        self.up = False
        self._words_ahead.clear()
        self._now = None
        self._held.lose()
        if not self._asked:
            return
        asked = self._asked[0]
        if asked.turn is None and asked.sent_s is None:
            asked.told = False
            return
        spoken = asked.turn is not None and asked.turn.audio_ms > 0
        if asked.turn is not None:
            asked.turn.over = True
        if spoken or asked.tried:
            self._asked.popleft()
            self.out.append(ReplyFailed(asked.reply, "the session was lost in the middle of it"))
        else:
            asked.tried, asked.turn, asked.sent_s, asked.since_s = 1, None, None, now_s
            asked.told = False
            self._made[asked.reply] = []

    def ready(self, now_s: float) -> None:
        """There is a session."""
        self.up = True
        for asked in self._asked:
            asked.since_s = now_s
        self._place(now_s)

    def fail_all(self, problem: str) -> None:
        """There is no session, and none will be for a while."""
        self.up = False
        self._now = None
        self._held.lose()
        waiting, self._asked = self._asked, deque()
        self.out += [ReplyFailed(asked.reply, problem, gone=True) for asked in waiting]

    # ---------------------------------------------------------------------------------------------- what follows

    def look(self, now_s: float, *, caller_speaks: bool = False) -> None:
        """What time brings. Nothing is waited for without end."""
        now = self._now
        if now is not None and now.is_past(now_s):
            self._finish(now, now_s)
        self._place(now_s)
        if self._asked:
            self._look_at(self._asked[0], now_s, caller_speaks=caller_speaks)
        self._place(now_s)
        if not caller_speaks and not self._asked:
            self.out += self._held.look(now_s)
            self._place(now_s)

    def _look_at(self, asked: Asked, now_s: float, *, caller_speaks: bool) -> None:
        patience_s = self._limits.reply_timeout_s
        if asked.turn is not None:
            if asked.turn.untold:  # it may only have finished
                patience_s = max(patience_s, 2 * SILENT_S)
            if now_s - max(asked.turn.told_s, asked.turn.began_s) > patience_s:
                asked.turn.give_up(asked.turn.audio_ms)
                self._fail(asked, f"nothing came of it for {patience_s:.0f} s", now_s)
        elif not self.up:
            if now_s - asked.since_s > patience_s:
                self._fail(asked, f"the session was not ready within {patience_s:.0f} s", now_s, gone=True)
        elif asked.sent_s is not None:
            if now_s - asked.sent_s > patience_s:
                self._fail(asked, f"nothing came of it for {patience_s:.0f} s", now_s)
        elif asked.text is None and not caller_speaks and now_s - asked.since_s >= self._limits.nudge_after_s:
            self._send(asked, now_s)
        elif now_s - asked.since_s > self._limits.nudge_after_s + patience_s:
            self._fail(asked, f"nothing came of it for {patience_s:.0f} s", now_s)

    def _fail(self, asked: Asked, problem: str, now_s: float, *, gone: bool = False) -> None:
        self._held.abandon(asked, now_s)
        self._asked.remove(asked)
        self.out.append(ReplyFailed(asked.reply, problem, gone))
        self._place(now_s)

    def _send(self, asked: Asked, now_s: float) -> None:
        asked.sent_s = now_s
        if asked.text is None:
            self.out.append(Nudge(asked.first))
        else:
            self.out.append(SayWords(asked.text, self._now is not None and self._now.unwanted))

    def _place(self, now_s: float) -> None:
        """Give what waits to whoever has asked, as far as that goes now."""
        while self._asked and self._asked[0].turn is None:
            asked = self._asked[0]
            if not asked.next:  # from now on it is waited for
                asked.next, asked.since_s = True, now_s
            if asked.text is None and self.up and not asked.told:
                asked.told = True
                self.out.append(AnswerNext(asked.reply))
            if asked.text is not None and asked.sent_s is None:
                if not self.up:
                    break
                self._send(asked, now_s)
            turn = self._held.fitting(asked, now_s)
            if turn is None:
                if (asked.first or self._late) and self.up and asked.sent_s is None:
                    self._late = False
                    self._send(asked, now_s)  # nobody has said anything that it could answer, or it does not
                break
            self._claim(asked, turn)
        if not self._asked:
            self.out += self._held.told_of(self._unanswered, now_s)
        if self._ends is not None and not self._asked and not self._held:
            ends, self._ends = self._ends, None
            self.out.append(replace(ends, reply=next(reversed(self._made), 0)))

    def _claim(self, asked: Asked, turn: VendorTurn) -> None:
        self._held.take(turn)
        asked.turn, turn.reply = turn, asked.reply
        self._made.setdefault(asked.reply, []).append(turn)
        if asked.text is not None:  # they are known to whoever asked
            turn.item.text = asked.text
            turn.verbatim = True
        self._hand_on(turn)
        if turn.over:
            self._tell_over(turn)

    def _hand_on(self, turn: VendorTurn) -> None:
        if not turn.reply or turn.unwanted:
            return
        for event in turn.take():
            if not (turn.verbatim and isinstance(event, ReplyWords)):
                self.out.append(event)

    def _tell_over(self, turn: VendorTurn) -> None:
        asked = self._asked[0] if self._asked else None
        if asked is not None and asked.turn is turn:
            self._asked.popleft()
            reason: StopReason = "tool_calls" if turn.calls else "stop"
            self.out.append(ReplyOver(turn.reply, stop_reason=reason, cut=turn.cut))

    def _finish(self, turn: VendorTurn, now_s: float) -> None:
        """Nothing more comes of it."""
        if turn is self._now:
            self._now = None
        turn.over = True
        if turn.is_empty:
            self._take_back(turn)
            return
        if turn.item.text or turn.audio_ms:
            self._memory.add(turn.item)
        turn.note_heard()
        if turn.reply and not turn.unwanted:
            self._hand_on(turn)
            self._tell_over(turn)
            self._place(now_s)

    def _take_back(self, turn: VendorTurn) -> None:
        """It was nothing: whoever has asked goes on waiting."""
        self._held.take(turn)
        for asked in self._asked:
            if asked.turn is turn:
                asked.turn = None
        if turn.reply:
            self._made[turn.reply] = [each for each in self._made.get(turn.reply, []) if each is not turn]
