"""Every number the conversation decides by, with its unit and its reason.

Defaults are those of Vapi's ``startSpeakingPlan``, ``stopSpeakingPlan`` and ``messagePlan`` where it has them
(named in brackets), so that an assistant moved from there behaves alike. Times are integer milliseconds. Speech and
silence are measured in audio time, so a network stall is neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

ACKNOWLEDGEMENT_PHRASES: tuple[str, ...] = (
    "i understand", "i see", "i got it", "i hear you", "im listening", "im with you", "right", "okay", "ok", "sure",
    "alright", "got it", "understood", "yeah", "yes", "uh-huh", "mm-hmm", "mhmm", "mm-hm", "mm", "mhm", "hmm", "gotcha", "ah", "yeah okay",
    "yeah sure",
)  # fmt: skip
"""Said while listening: the caller wants the agent to go on [stopSpeakingPlan.acknowledgementPhrases]."""

INTERRUPTION_PHRASES: tuple[str, ...] = (
    "stop", "shut", "up", "enough", "quiet", "silence", "but", "dont", "not", "no", "hold", "wait", "cut", "pause", "nope",
    "nah", "nevermind", "never", "bad", "actually",
)  # fmt: skip
"""One of these at the start of what is said takes the floor at once [stopSpeakingPlan.interruptionPhrases]."""

FUNCTION_WORDS: tuple[str, ...] = (
    "a", "an", "the", "and", "or", "but", "of", "to", "in", "on", "at", "by", "for", "from", "with", "as", "that", "this", "it", "is",
    "was", "are", "be", "i", "i'm", "im", "he", "she", "we", "you", "they", "me", "my", "his", "her", "its", "your", "when", "which",
    "who", "so", "if", "than", "then", "there", "had", "has", "have", "well", "oh", "uh", "um", "er", "ah", "eh", "huh",
)  # fmt: skip
"""What a recogniser makes of a cough, a knock or a tone is one of these ("the", "and", "when"); nobody takes the floor with one, unless it
is an interruption phrase as well."""

TRAILING_WORDS: tuple[str, ...] = (
    "and", "but", "or", "nor", "so", "because", "if", "when", "then", "that", "which", "who", "whose", "where", "how",
    "whether", "although", "though", "while", "since", "unless", "until", "than", "as", "the", "a", "an", "my", "your", "his",
    "her", "our", "their", "some", "any", "to", "of", "for", "with", "without", "at", "in", "on", "from", "by", "into", "onto",
    "about", "between", "near", "per", "via", "like", "is", "are", "was", "were", "am", "be", "been", "will", "would", "could",
    "should", "can", "may", "might", "must", "want", "wanna", "gonna", "need", "get", "it's", "its", "that's", "there's", "i",
    "i'm", "im", "i'll", "i'd", "i've", "we", "we're", "you're", "they", "he", "she", "let", "let's", "maybe", "well", "very",
    "really", "also", "plus",
)  # fmt: skip
"""A turn that ends on one of these is hardly over: a conjunction, an article, a preposition, an auxiliary, a subject without its verb."""

FILLERS: tuple[str, ...] = ("um", "uh", "uhm", "umm", "uhh", "er", "erm", "err", "hmm", "hm", "ah", "eh", "mm")
"""A turn that ends on one of these goes on: that is what they are said for."""

SHORT_ANSWERS: tuple[str, ...] = (
    "yes", "no", "yeah", "yep", "nope", "okay", "ok", "sure", "right", "correct", "exactly", "please", "thanks", "hello", "hi", "bye",
    "goodbye", "maybe", "never", "none", "nothing", "agreed", "great", "fine", "perfect", "alright", "absolutely", "definitely",
)  # fmt: skip
"""Alone, they are whole answers."""


@dataclass(frozen=True, slots=True)
class Endpointing:
    """When has the caller finished?"""

    mode: Literal["evidence", "fixed", "manual"] = "evidence"
    """``evidence``: the wait follows from what was said; ``fixed``: always ``silence_ms`` (OpenAI's server_vad); ``manual``: push-to-talk,
    the client commits the turn."""
    silence_ms: int = 500
    """``fixed``: silence that closes the turn [OpenAI server_vad.silence_duration_ms]."""
    wait_ms: int = 400
    """``evidence``: never close before this much silence; gives a slow starter the floor back [startSpeakingPlan.waitSeconds]."""
    on_punctuation_ms: int = 100
    """``evidence``: wait when the words are plainly complete [onPunctuationSeconds]. ``wait_ms`` still holds as the least."""
    on_no_punctuation_ms: int = 760
    """``evidence``: wait when nothing speaks for or against the end of the turn [onNoPunctuationSeconds]."""
    on_number_ms: int = 760
    """``evidence``: the same, where the last word is a lone number [onNumberSeconds]."""
    between_groups_ms: int = 1400
    """``evidence``: wait within a telephone number, a code, a spelled word or an e-mail address, between whose groups people pause for up
    to a second. Once it has as many digits as it takes, the turn closes after ``wait_ms``."""
    punctuation: float = 0.95
    """What the recogniser's full stops are worth: the share of pauses inside turns at which it writes none. The session writes here what
    the call's engine tells (``SpeechToText.punctuation``); this is one whose full stops can be believed."""
    last_words_ms: int = 0
    """How soon after the end of speech the recogniser mostly has its last words, as the call's engine tells; 0 where the call must show."""
    min_confidence: float = 0.0
    """Final words of a sound that was hardly speech (``min_speech_share``), and that the recogniser itself believes less than this, are
    what it made of a cough: they close no turn; whoever may have spoken is asked again. The session writes here what the call's engine
    tells (``providers.base.doubted_below_of``); 0 for none."""
    min_speech_share: float = 0.6
    """Words of a sound of whose voice at least so much was surely speech are never doubted; 0 for none at all. Of 27 recorded noises of
    which Moonshine writes words 18 lie below and are doubted, of 92 digits and short words 3, two of which are misheard."""
    on_incomplete_ms: int = 4000
    """``evidence``: wait while a grammar of expected answers knows that something is missing, as digits of a number that was asked for."""
    max_wait_ms: int = 1800
    """``evidence``: wait when the words are plainly incomplete (trailing "and", "um"); also the ceiling of every wait."""
    score_after_ms: int = 200
    """``evidence``: silence before a turn detector is asked: it hears how the voice fell silent."""
    rescore_every_ms: int = 200
    """``evidence``: a turn detector is asked again this often while the silence lasts. One answer takes 60 to 150 ms of a core."""
    detector: bool = False
    """Whether a semantic turn detector is there to be asked."""
    advised: bool = False
    """``evidence``: whether somebody is asked, for all words that come, how long to wait after them: the assistant's rules or its server
    [customEndpointingRules, smartEndpointingPlan.server]. What they say goes before everything but ``wait_ms``."""
    wait_curve: tuple[int, ...] = ()
    """``evidence``: the wait by how likely more is to come, from 0 to 1 in equal steps, in the place of ``on_…_ms`` and ``max_wait_ms``
    [smartEndpointingPlan.waitFunction]; empty for none."""
    final_timeout_ms: int = 1200
    """After the turn would have closed: how long to wait for the recogniser's final words before using its partial ones; up to three
    times as long for one that has shown in this call to be slow."""
    empty_turn_timeout_ms: int = 2000
    """Speech that got no words at all is forgotten after this much silence."""
    stall_grace_ms: int = 1500
    """Audio that stops arriving cannot show silence. After the wait plus this on the session clock, the turn closes all the same."""
    speculative_reply: bool = True
    """Ask the model at the first silence, on the words so far; what it says is spoken only if the turn closes with the same words."""
    speculate_after_ms: int = 200
    """Silence before a speculative request: shorter pauses lie inside sentences, and each that is discarded is a paid request."""
    max_speculations: int = 3
    """Paid requests a turn, at most."""


@dataclass(frozen=True, slots=True)
class BargeIn:
    """Should the agent stop because the caller makes a sound?"""

    enabled: bool = True
    """False: the agent finishes what it says; the caller's words are kept for the next turn."""
    mode: Literal["hold", "immediate"] = "hold"
    """``hold``: pause at the first sound, decide afterwards, resume if it was nothing. ``immediate``: cancel as soon as speech is sure
    (where the client owns playback, OpenAI Realtime)."""
    num_words: int = 0
    """Words (other than acknowledgements) that confirm an interruption; 0 lets the voice itself confirm [stopSpeakingPlan.numWords]."""
    voice_ms: int = 200
    """Voice at least this long, with at least one word that is no acknowledgement, confirms when ``num_words`` is 0 [voiceSeconds]. No
    word is said in less than half of it: what a recogniser hears in a shorter sound confirms nothing."""
    min_confidence: float = 0.5
    """Final words that the recogniser itself believes less than this confirm nothing; 0 for all. Where it tells none, all count."""
    min_speech_share: float = 0.35
    """Where less than this of a sound's voice was surely speech, it was a cough or a laugh: then the recogniser must be nearly certain of
    words that are to confirm; 0: never. Of 61 recorded noises the words of 9 confirmed without this and those of 4 with it, at no word's
    cost."""
    noise_share: float = 0.2
    """Where less than this of a sound's voice was surely speech, the agent goes on as soon as it stops, and does not wait for words: those
    that come and of which the recogniser is nearly certain end the reply all the same. Of 19 recorded noises that silence the agent 8 are
    such, of 42 words of interruption 1, of 233 other words and phrases 7. 0: never."""
    voice_alone_ms: int = 1200
    """Voice this long confirms with no words yet where the recogniser tells none before its last (``Policy.partials``). Where it would
    have told some, a sound without words is a laugh, a cough or a song, however long. Where what it tells is doubtful, several words
    that it has told twice confirm before its last word only with this much voice."""
    resume_after_ms: int = 300
    """Silence after the sound with no words: resume. Together with the VAD's own hangover this stays under the 500 ms a listener
    takes for a lost line."""
    transcript_wait_ms: int = 500
    """Silence after *speech* (not mere sound) before resuming: a recogniser needs this long for short words. One that has shown to be
    slower is waited for longer (nine of ten of its last words on this call came within that), up to ``longest_transcript_wait_ms``."""
    longest_transcript_wait_ms: int = 1200
    answer_overlap_ms: int = 1000
    """An acknowledgement ("yes", "okay") over the last so much of a question is the answer to it: people answer before it is over."""
    max_softened_ms: int = 1500
    """The agent speaks more softly while a sound may become speech, and no longer than this: then it is music or a motor.
    0: no softening, the agent is held at the first sound."""
    max_hold_ms: int = 6000
    """A hold never lasts longer than this on the session clock without being decided: then the agent resumes."""
    backoff_ms: int = 1000
    """After an interruption the agent does not speak again sooner [backoffSeconds]."""
    debounce_ms: int = 500
    """After an interruption, a bare "wait", "no", "actually" announces more: such a turn is not closed, and no model is asked, before
    this much silence. So rapid repeats become one turn and one request."""
    take_back_ms: int = 700
    """A caller who goes on when no more than this of the answer was heard had not finished: the answer is taken back whole, and the words
    join the turn before."""
    acknowledgement_phrases: tuple[str, ...] = ACKNOWLEDGEMENT_PHRASES
    function_words: tuple[str, ...] = FUNCTION_WORDS
    interruption_phrases: tuple[str, ...] = INTERRUPTION_PHRASES


@dataclass(frozen=True, slots=True)
class Speaking:
    """How the agent's words leave."""

    first_clause_chars: int = 24
    """The first piece may end at a comma once it is this long: the sooner it is synthesised, the sooner the caller hears something."""
    min_sentence_chars: int = 12
    """Shorter sentences are joined to the next one; a voice sounds choppy otherwise."""
    max_piece_chars: int = 240
    """A piece is cut at a space here at the latest; some voices refuse longer text."""
    end_call_phrases: tuple[str, ...] = ()
    """Said by the agent, they end the call once spoken [endCallPhrases]."""
    reply_timeout_ms: int = 8000
    """A model that has sent nothing by then has failed."""
    failure_message: str = "Sorry, I am having trouble right now. Could you say that again?"
    """Spoken when a reply fails, so that a fault is never silence. Empty for none."""
    given_up_message: str = "I am sorry, I cannot go on with this call. Please call again later."
    """Spoken before the call is ended because an engine is gone for good and nobody stands in for it. Empty for none."""
    not_understood_message: str = "Sorry, I did not catch that."
    """Spoken when the caller plainly said something and no words came of it: silence would be the worst answer. Empty for none."""
    not_understood_after_ms: int = 600
    """Voice this long was plainly something said; less may have been a breath."""
    max_not_understood: int = 2
    """Said this often in a row at most: a radio in the background never gets words either."""
    transfer_failed_message: str = "I am sorry, nobody can take your call right now. Is there anything else I can do?"
    """Spoken when the call could not be handed over. Empty for none."""
    max_consecutive_failures: int = 3
    """After so many failed replies in a row the call ends politely."""


@dataclass(frozen=True, slots=True)
class Silence:
    """What to do when nobody speaks, and when to stop."""

    idle_after_ms: int = 10_000
    """Silence after the agent has finished before it prompts [messagePlan.idleTimeoutSeconds]. 0 for never."""
    idle_messages: tuple[str, ...] = ()
    """Spoken in turn [messagePlan.idleMessages]. Empty for none."""
    idle_reply: bool = False
    """Ask the model instead of saying an idle message [OpenAI server_vad.idle_timeout_ms]."""
    idle_max_count: int = 3
    """Prompts at most [idleMessageMaxSpokenCount]."""
    idle_count_resets_on_speech: bool = False
    """[idleMessageResetCountOnUserSpeechEnabled]"""
    silence_timeout_ms: int = 30_000
    """Silence from both sides that ends the call [silenceTimeoutSeconds]. 0 for never."""
    silence_timeout_message: str = ""
    """Spoken before such an end."""
    no_audio_timeout_ms: int = 15_000
    """No audio at all since the call began: the caller's side is broken. 0 for never."""
    max_duration_ms: int = 600_000
    """Hard cut, no goodbye [maxDurationSeconds]. 0 for never."""
    max_duration_message: str = ""
    """Spoken when the maximum is reached, where set: a courtesy Vapi does not have."""
    goodbye_timeout_ms: int = 15_000
    """A goodbye that has not been played by then is cut."""
    end_call_message: str = ""
    """Spoken when the assistant ends the call without words of its own [endCallMessage]."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """Who speaks first."""

    mode: Literal[
        "assistant-speaks-first",
        "assistant-speaks-first-with-model-generated-message",
        "assistant-waits-for-user",
    ] = "assistant-speaks-first"
    """[firstMessageMode]"""
    message: str = ""
    """[firstMessage]"""
    interruptible: bool = True
    """[firstMessageInterruptionsEnabled]; Vapi's default is false, ours true: a caller who speaks must be heard."""
    wait_ms: int = 0
    """How long it waits for a client that still says how it wants the call (``ClientReady``). It is not given any more where something else
    has begun by then. 0: at once."""


@dataclass(frozen=True, slots=True)
class Keypad:
    """Digits the caller types on the telephone."""

    enabled: bool = True
    """False: keys are ignored [keypadInputPlan.enabled; Vapi's default is false, ours true: a pressed key means something]."""
    timeout_ms: int = 2000
    """After the last digit, the digits are taken as a turn [keypadInputPlan.timeoutSeconds]."""
    delimiters: str = "#"
    """A key that ends the input at once and is not part of it; empty for none [keypadInputPlan.delimiters]."""
    max_digits: int = 64
    """More than this in one input is taken at once; bounds what a stuck key can do."""


@dataclass(frozen=True, slots=True)
class Policy:
    """All of it. A plain value: logged with the call, replayed with it, replaced whole by ``PolicyChanged``."""

    endpointing: Endpointing = field(default_factory=Endpointing)
    barge_in: BargeIn = field(default_factory=BargeIn)
    speaking: Speaking = field(default_factory=Speaking)
    silence: Silence = field(default_factory=Silence)
    greeting: Greeting = field(default_factory=Greeting)
    keypad: Keypad = field(default_factory=Keypad)
    reply_on_turn_end: bool = True
    """False: a closed turn enters the history and the client asks for a reply itself [OpenAI create_response]."""
    output: Literal["audio", "text"] = "audio"
    """``text``: replies are written, not spoken."""
    partials: Literal["none", "doubtful", "reliable"] = "reliable"
    """What the recogniser tells while words are being said: nothing; words that it often takes back (a small one on a telephone line makes
    "i meant" of a "mm-hm"); or words that mostly stand."""
    playback_owner: Literal["server", "client"] = "server"
    """``client``: audio is handed over as it is made and the client says what was heard (OpenAI Realtime over WebSocket)."""
    late_tool_result_turns: int = 2
    """A tool's answer that comes after its deadline still enters the history while the conversation is at most this many turns on."""
    max_tool_steps: int = 6
    """Replies in a row that may end in tool calls before the model is told to answer without them."""
