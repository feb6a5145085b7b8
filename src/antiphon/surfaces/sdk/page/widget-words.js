/** What the widget says. */
export const WORDS = {
  en: {
    talk: "Talk to us",
    connecting: "Connecting …",
    listening: "Listening",
    speaking: "Speaking",
    muted: "Your microphone is off",
    ended: "Call ended",
    end: "End call",
    mute: "Mute",
    unmute: "Unmute",
    region: "Voice call",
    you: "You",
    agent: "Assistant",
    problems: {
      permissions: "The microphone is not allowed. Allow it beside the browser's address and try again.",
      "not-found": "No microphone was found. Connect one and try again.",
      "mic-in-use": "The microphone cannot be used: another program may hold it.",
      "undefined-mediadevices": "The microphone works on https pages only.",
      "audio-blocked": "Press any button on the page to hear the answer.",
      "connection-error": "The connection was lost.",
      refused: "The call is not possible now.",
    },
  },
  ko: {
    talk: "음성 상담",
    connecting: "연결하는 중…",
    listening: "듣고 있어요",
    speaking: "말하고 있어요",
    muted: "마이크가 꺼져 있어요",
    ended: "통화가 끝났어요",
    end: "통화 종료",
    mute: "마이크 끄기",
    unmute: "마이크 켜기",
    region: "음성 통화",
    you: "나",
    agent: "상담원",
    problems: {
      permissions: "마이크 사용이 차단되어 있어요. 주소창 옆에서 허용한 뒤 다시 시도해 주세요.",
      "not-found": "마이크를 찾지 못했어요. 연결한 뒤 다시 시도해 주세요.",
      "mic-in-use": "마이크를 사용할 수 없어요. 다른 프로그램이 쓰고 있을 수 있어요.",
      "undefined-mediadevices": "마이크는 https 페이지에서만 쓸 수 있어요.",
      "audio-blocked": "소리를 들으려면 페이지의 아무 버튼이나 눌러 주세요.",
      "connection-error": "연결이 끊어졌어요.",
      refused: "지금은 통화할 수 없어요.",
    },
  },
};

/** `wanted`: a language tag, or nothing: the page's language, else the browser's. */
export function wordsOf(wanted) {
  const tag = wanted || document.documentElement.lang || navigator.language || "en";
  const language = tag.toLowerCase().split("-")[0];
  return { language: WORDS[language] ? language : "en", words: WORDS[language] ?? WORDS.en };
}
