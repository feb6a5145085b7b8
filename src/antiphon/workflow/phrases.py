"""The phrases of the meanings an assistant file may name instead of listing its own."""

from __future__ import annotations

YES = (
    "yes", "yeah", "yep", "yup", "sure", "correct", "right", "that's right", "that is right", "that's correct", "that is correct",
    "absolutely", "definitely", "certainly", "of course", "please do", "go ahead", "sounds good", "perfect", "great", "fine",
    "okay", "ok", "alright", "do it", "book it", "that's fine", "that works", "exactly", "indeed", "go for it", "that's all right",
)  # fmt: skip
"""What a small recogniser shall expect; ``agreement`` understands more."""
NO = (
    "no", "nope", "nah", "not", "wrong", "incorrect", "never", "don't", "that's wrong", "that is wrong", "not right", "not correct",
)  # fmt: skip

HUMAN = (
    "operator", "human", "representative", "receptionist", "real person", "live person", "speak to a person", "talk to a person",
    "speak to a human", "talk to a human", "speak to someone", "talk to someone", "speak to somebody", "talk to somebody",
    "speak to an agent", "talk to an agent", "speak with someone", "talk with someone", "speak with a person", "talk with a person",
    "speak with somebody", "a person please", "a person", "put me through", "transfer me", "connect me", "customer service", "a human",
    "i want a human", "i want to speak to a person", "can i speak to a person", "speak to a real person", "talk to a real person",
    "speak to a real human", "talk to a real human", "somebody real", "someone real", "speak with an agent", "speak to a representative",
    "talk to a representative", "don't want to talk to a robot", "don't want to speak to a robot", "don't want to talk to a machine",
    "don't want to speak to a machine", "no robots",
)  # fmt: skip
GOODBYE = (
    "goodbye", "bye", "bye bye", "good bye", "hang up", "end the call", "see you", "see you later", "see you soon", "talk to you later",
    "have a nice day", "have a good day", "have a great day", "take care", "good night", "cheerio", "farewell", "have a good one",
    "gotta go", "have to go", "must go", "got to go", "wrong number",
)  # fmt: skip
"""Said at the end of an answer, these say goodbye after it."""
NOTHING_MORE = (
    "that's all", "that is all", "that will be all", "that'll be all", "nothing else", "i'm done", "i am done", "that was all",
    "that's everything", "that is everything", "we're done", "all done", "that was it", "that was everything",
)  # fmt: skip
"""Goodbye where no question is open; at a question they may be part of an answer."""
DONE = (
    *NOTHING_MORE, "thank you", "thanks", "thank you very much", "thanks a lot", "that's it", "that is it", "nothing", "i'm good",
    "i am good",
    "i'm fine", "all good", "that's great", "okay", "great", "perfect", "no", "nope", "that's fine", "you've been very helpful",
    "you have been very helpful", "very helpful", "wonderful", "lovely", "cheers", "no more", "not right now", "not now", "i'm all set",
    "i am all set", "all set", "much appreciated", "i appreciate it", "that's very kind", "nothing more", "not at the moment",
    "brilliant",
    "excellent", "alright", "all right", "fine", "good", "that'll do", "that will do", "sounds good", "i don't think so", "that does it",
)  # fmt: skip
"""What people say when they have what they wanted."""
REPEAT = (
    "repeat that", "repeat", "say that again", "say it again", "can you repeat that", "could you repeat that", "what did you say",
    "pardon", "pardon me", "excuse me", "come again", "what", "sorry what", "what was that", "i didn't catch that",
    "i didn't hear you", "i did not hear you", "one more time", "i didn't get that", "can you say that again", "could you say that again",
    "what was the question", "repeat the question", "i can't hear you", "once more",
)  # fmt: skip
HELP = (
    "help", "help me", "what can i say", "what can you do", "what are my options", "options", "i don't know", "i do not know",
    "i'm not sure", "i am not sure", "what do you mean", "i don't understand", "i do not understand", "how does this work", "no idea",
    "i have no idea",
)  # fmt: skip
GREETING = (
    "hello", "hi", "hey", "hello there", "hi there", "good morning", "good afternoon", "good evening", "are you there",
    "hello are you there", "can you hear me", "anybody there",
)  # fmt: skip
PAUSE = (
    "hold on", "hang on", "one moment", "just a moment", "a moment", "one second", "just a second", "a second", "one minute",
    "just a minute",
    "a minute", "give me a second", "give me a moment", "give me a minute", "let me think", "let me check", "let me see", "let me look",
    "wait", "wait a second", "wait a minute", "wait a moment", "bear with me", "i'm thinking", "let me ask", "um", "uh", "er", "erm", "hmm",
    "hm", "well", "so",
)  # fmt: skip
"""Said by whoever needs a moment."""
START_OVER = (
    "start over",
    "start again",
    "from the beginning",
    "begin again",
    "let's start over",
    "forget it start over",
)
CANCEL = (
    "cancel my appointment", "cancel an appointment", "cancel the appointment", "cancel it", "i want to cancel", "i need to cancel",
    "i would like to cancel", "i'd like to cancel", "can i cancel", "cancel", "i can't make my appointment", "i have to cancel",
    "i missed my appointment", "i missed the appointment", "call off my appointment", "i can't come to my appointment",
)  # fmt: skip
RESCHEDULE = (
    "reschedule", "i need to reschedule", "reschedule my appointment", "move my appointment", "change my appointment",
    "postpone my appointment",
    "move the appointment", "change the appointment", "postpone the appointment", "change the time of my appointment",
    "move an appointment",
    "change the date of my appointment", "i already have an appointment", "i have an appointment", "what time is my appointment",
    "when is my appointment", "i forgot my appointment", "confirm my appointment", "check my appointment", "about my appointment",
    "change an appointment", "do i have an appointment", "running late",
)  # fmt: skip

BUILT_IN: dict[str, tuple[str, ...]] = {
    "yes": YES, "no": NO, "human": HUMAN, "goodbye": GOODBYE, "repeat": REPEAT, "help": HELP, "greeting": GREETING,
    "start-over": START_OVER, "done": DONE, "cancel": CANCEL, "reschedule": RESCHEDULE,
}  # fmt: skip
"""Meanings an assistant file may name instead of listing phrases."""
