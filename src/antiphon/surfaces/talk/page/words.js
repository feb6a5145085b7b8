/** Everything the page says, in each language. A word that a language lacks is said in English. */

export const WORDS = {
  en: {
    title: "Talk · Antiphon", language: "Language", overview: "Overview", calls: "Calls", live: "Live", talk_to: "Talk to", the_call: "The call", you: "You", agent: "Agent",
    talk: "Talk", cancel: "Cancel", hang_up: "Hang up", mute: "Mute", unmute: "Unmute", try_again: "Try again", type_instead: "Type instead", check: "Check the connection",
    key_title: "This server asks for a key", key_text: "Make one with antiphon keys create. It goes to this server only and is forgotten when the page is closed.", key_label: "Private key", open: "Open",
    transcript: "Transcript", said: "What was said", hint: "Press Talk and say hello, or type.", hint_more: "Interrupt whenever you like.", type_label: "Type a message", send: "Send",

    ready: "Ready when you are", connecting: "Connecting", not_connected: "Not connected", not_open: "Not open yet", ended_after: "Call ended after {time}", ended: "Call ended", connected_to: "Connected to {agent}",
    f_nobody: "Listening", f_muted: "Listening, but you are muted", f_you: "You are speaking", f_thinking: "Thinking", f_held: "{agent} pauses to listen", f_agent: "{agent} is speaking", f_away: "Trying to reconnect",
    f_again: "Trying to reconnect ({attempt} of {of})", microphone_off: "Your microphone is off", microphone_on: "Your microphone is on", new_call: "A new call", back_again: "Connected again",

    interrupted: "— interrupted", not_understood: "not understood", s_deciding: "deciding", s_model: "model", s_voice: "voice", stage: "{stage} {ms} ms", answered_after: "Answered after {ms} ms", where_time_went: "Where the time of this turn went",
    m_held: "The agent pauses to listen", m_resumed: "The agent paused for {ms} ms and went on", m_interrupted: "Interrupted after {s} s of the answer", m_tool: "Tool {name}", m_running: "running", m_answered: "{ms} ms", m_failed: "failed after {ms} ms", m_cancelled: "cancelled",
    m_back: "The connection was lost for {s} s. The conversation goes on: what was said until then is known, what you said meanwhile was not heard.", m_socket: "Sound found no way over UDP, so it goes over the WebSocket.",

    p_no_microphone: "No microphone was found", p_no_microphone_text: "Connect one and try again, or type: you will still hear the answers.",
    p_microphone_denied: "The microphone is not allowed", p_microphone_denied_text: "Allow it for this page beside the address, then try again. Or type: you will still hear the answers.",
    p_microphone_busy: "The microphone cannot be used", p_microphone_busy_text: "Another program may hold it. Close that one and try again, or type.",
    p_microphone_gone: "The microphone is gone", p_microphone_gone_text: "It was unplugged, or another program took it. You can type; to be heard again, connect it and begin another call.",
    p_insecure: "Browsers give no microphone to this address", p_insecure_text: "They do on https pages and on the machine itself (http://localhost). Open {host} over https, or type.",
    p_unsupported: "This browser cannot make calls", p_unsupported_text: "It has neither WebRTC nor audio worklets. A current Chrome, Edge, Firefox or Safari does.",
    p_server_full: "The server is full", p_server_full_text: "All its lines are taken. Try again in a minute.",
    p_server_draining: "The server is about to restart", p_server_draining_text: "It takes no new call now. Try again in a minute.",
    p_refused: "The server refused the call", p_refused_text: "Its log tells why.",
    p_no_assistant: "There is no such assistant", p_no_assistant_text: "The address of this page names one that is not here, or that you may not talk to. Choose another.",
    p_unreachable: "The server does not answer", p_unreachable_text: "Check your connection, and that the server is running.",
    p_not_connected: "No sound could be exchanged", p_not_connected_text: "The server answered, but its audio does not get through: neither over UDP, nor over the WebSocket.",
    p_lost: "The connection was lost", p_lost_text: "It did not come back. Another try begins a new call; what was said stays on the page.",
    p_expired: "The call reached its longest time", p_expired_text: "You can begin another.",
    p_silent: "The browser holds the sound back", p_silent_text: "It wants to be asked once more before a page may be heard.",
    p_locked: "This server asks for a key", p_locked_text: "Type one below.",
    p_unopened: "This page opens with the address that the server printed", p_unopened_text: "Look for talk_page (or next_address, which is newer) in the server's output, and open that address on the same machine. Or give a private key.",
    p_wrong_key: "This key is not known here", p_wrong_key_text: "It may have been revoked. antiphon keys list shows which there are.",
    p_answer_failed: "The agent could not answer", p_answer_failed_text: "Say it again, or in other words.",
    p_event_refused: "The server did not take that", p_event_refused_text: "Its log tells why.",
    p_page_failed: "Something on this page went wrong", p_page_failed_text: "Reload it and try again.",
    b_lost: "Reconnect", b_expired: "Call again", b_silent: "Let me hear",

    c_running: "Looking", c_secure: "A page that may use a microphone", c_secure_no: "This page came over plain http. Open it over https, or on http://localhost.",
    c_answers: "The server answers", c_answers_no: "Check your connection, and that the server is running.", c_answers_locked: "It does, and asks for a key first.",
    c_mixed: "Page and server both use https", c_mixed_no: "This page is https, and the server calls itself {url}: browsers refuse such mixed content. Set ANTIPHON_PUBLIC_URL to the https address.",
    c_microphone: "A microphone that can be heard", c_no_microphone: "None is connected.", c_microphone_denied: "It is not allowed: see beside the address, or the system's own settings.", c_microphone_busy: "It is there, and cannot be opened: another program may hold it.", c_insecure: "Browsers give none to this address.",
    c_webrtc: "WebRTC", c_webrtc_no: "This browser has none: sound goes over the WebSocket.", c_udp: "This browser sends over UDP", c_udp_no: "A policy, an extension or a VPN keeps WebRTC from the network.",
    c_reaches: "UDP reaches the server", c_reaches_no: "A firewall is in the way. Let UDP through to the server, or set a TURN server there; until then sound goes over the WebSocket.", c_reaches_unknown: "It could not be tried: too many are trying, or the server takes no WebRTC.",
    c_relay: "The server's TURN server", c_relay_none: "None is set: who is behind a strict firewall talks over the WebSocket.", c_relay_refused: "It refuses the server's credentials: ANTIPHON_WEBRTC__TURN_USERNAME and __TURN_CREDENTIAL.", c_relay_unreachable: "It does not answer the server: ANTIPHON_WEBRTC__TURN_URL.",
    c_good: "good", c_bad: "not good", c_unknown: "not known",
  },
  ko: {
    title: "대화하기 · Antiphon", language: "언어", overview: "개요", calls: "통화 기록", live: "진행 중", talk_to: "상대", the_call: "통화", you: "나", agent: "에이전트",
    talk: "대화하기", cancel: "취소", hang_up: "끊기", mute: "음소거", unmute: "음소거 해제", try_again: "다시 시도", type_instead: "글로 쓰기", check: "연결 점검",
    key_title: "이 서버는 키를 요구합니다", key_text: "antiphon keys create로 만드세요. 키는 이 서버에만 보내지고 페이지를 닫으면 잊힙니다.", key_label: "비밀 키", open: "열기",
    transcript: "대화 내용", said: "주고받은 말", hint: "대화하기를 누르고 인사하거나, 글로 쓰세요.", hint_more: "언제든지 말을 끊어도 됩니다.", type_label: "메시지 입력", send: "보내기",

    ready: "준비되었습니다", connecting: "연결하는 중", not_connected: "연결되지 않음", not_open: "아직 열리지 않음", ended_after: "통화가 {time} 만에 끝났습니다", ended: "통화가 끝났습니다", connected_to: "{agent}와(과) 연결되었습니다",
    f_nobody: "듣고 있습니다", f_muted: "듣고 있으나 마이크가 꺼져 있습니다", f_you: "말씀하시는 중", f_thinking: "생각하는 중", f_held: "{agent}: 말을 멈추고 듣는 중", f_agent: "{agent}: 말하는 중", f_away: "다시 연결하는 중",
    f_again: "다시 연결하는 중 ({attempt}/{of})", microphone_off: "마이크가 꺼졌습니다", microphone_on: "마이크가 켜졌습니다", new_call: "새 통화", back_again: "다시 연결되었습니다",

    interrupted: "— 말이 끊김", not_understood: "알아듣지 못함", s_deciding: "판단", s_model: "모델", s_voice: "음성", stage: "{stage} {ms} ms", answered_after: "{ms} ms 뒤에 답함", where_time_went: "이 차례에 걸린 시간",
    m_held: "에이전트가 멈추고 듣습니다", m_resumed: "에이전트가 {ms} ms 멈췄다가 이어 말함", m_interrupted: "답을 {s}초 듣고 끼어듦", m_tool: "도구 {name}", m_running: "실행 중", m_answered: "{ms} ms", m_failed: "{ms} ms 뒤 실패", m_cancelled: "취소됨",
    m_back: "연결이 {s}초 동안 끊겼습니다. 대화는 이어집니다. 그때까지의 말은 알고 있으나, 끊긴 동안 하신 말은 들리지 않았습니다.", m_socket: "UDP로 소리가 통하지 않아 WebSocket으로 보냅니다.",

    p_no_microphone: "마이크를 찾지 못했습니다", p_no_microphone_text: "연결한 뒤 다시 시도하거나 글로 쓰세요. 답은 그대로 들립니다.",
    p_microphone_denied: "마이크 사용이 차단되어 있습니다", p_microphone_denied_text: "주소창 옆에서 이 페이지에 허용한 뒤 다시 시도하세요. 글로 써도 답은 들립니다.",
    p_microphone_busy: "마이크를 사용할 수 없습니다", p_microphone_busy_text: "다른 프로그램이 쓰고 있을 수 있습니다. 그 프로그램을 닫고 다시 시도하거나 글로 쓰세요.",
    p_microphone_gone: "마이크가 사라졌습니다", p_microphone_gone_text: "빠졌거나 다른 프로그램이 가져갔습니다. 글로 쓸 수 있습니다. 다시 말하려면 연결한 뒤 새로 통화하세요.",
    p_insecure: "이 주소에는 브라우저가 마이크를 주지 않습니다", p_insecure_text: "https 페이지나 이 컴퓨터 자신(http://localhost)에서만 줍니다. {host}을(를) https로 열거나 글로 쓰세요.",
    p_unsupported: "이 브라우저로는 통화할 수 없습니다", p_unsupported_text: "WebRTC도 오디오 워클릿도 없습니다. 최신 Chrome, Edge, Firefox, Safari에는 있습니다.",
    p_server_full: "서버에 빈자리가 없습니다", p_server_full_text: "모든 회선이 사용 중입니다. 잠시 뒤 다시 시도하세요.",
    p_server_draining: "서버가 곧 다시 시작됩니다", p_server_draining_text: "지금은 새 통화를 받지 않습니다. 잠시 뒤 다시 시도하세요.",
    p_refused: "서버가 통화를 거절했습니다", p_refused_text: "이유는 서버 로그에 있습니다.",
    p_no_assistant: "그런 어시스턴트가 없습니다", p_no_assistant_text: "이 페이지의 주소가 가리키는 어시스턴트는 여기 없거나 대화할 권한이 없습니다. 다른 것을 고르세요.",
    p_unreachable: "서버가 응답하지 않습니다", p_unreachable_text: "연결과 서버가 실행 중인지 확인하세요.",
    p_not_connected: "소리를 주고받을 수 없습니다", p_not_connected_text: "서버는 응답했으나 소리가 UDP로도 WebSocket으로도 통하지 않습니다.",
    p_lost: "연결이 끊어졌습니다", p_lost_text: "다시 연결되지 않았습니다. 다시 시도하면 새 통화가 시작되며, 주고받은 말은 페이지에 남습니다.",
    p_expired: "통화가 최장 시간에 이르렀습니다", p_expired_text: "새로 통화할 수 있습니다.",
    p_silent: "브라우저가 소리를 막고 있습니다", p_silent_text: "소리를 내려면 한 번 더 허락해야 합니다.",
    p_locked: "이 서버는 키를 요구합니다", p_locked_text: "아래에 입력하세요.",
    p_unopened: "이 페이지는 서버가 출력한 주소로 열립니다", p_unopened_text: "서버 출력에서 talk_page(또는 더 새로운 next_address)를 찾아 같은 컴퓨터에서 여세요. 또는 비밀 키를 입력하세요.",
    p_wrong_key: "알 수 없는 키입니다", p_wrong_key_text: "폐기되었을 수 있습니다. antiphon keys list로 확인하세요.",
    p_answer_failed: "에이전트가 답하지 못했습니다", p_answer_failed_text: "다시, 또는 다른 말로 해 보세요.",
    p_event_refused: "서버가 받아들이지 않았습니다", p_event_refused_text: "이유는 서버 로그에 있습니다.",
    p_page_failed: "페이지에 문제가 생겼습니다", p_page_failed_text: "새로 고친 뒤 다시 시도하세요.",
    b_lost: "다시 연결", b_expired: "다시 통화", b_silent: "소리 켜기",

    c_running: "점검하는 중", c_secure: "마이크를 쓸 수 있는 페이지", c_secure_no: "이 페이지는 암호화되지 않은 http로 왔습니다. https로, 또는 http://localhost에서 여세요.",
    c_answers: "서버 응답", c_answers_no: "연결과 서버가 실행 중인지 확인하세요.", c_answers_locked: "응답하지만 먼저 키를 요구합니다.",
    c_mixed: "페이지와 서버 모두 https", c_mixed_no: "이 페이지는 https인데 서버는 자신을 {url}(이)라 합니다. 브라우저는 이런 혼합 콘텐츠를 거부합니다. ANTIPHON_PUBLIC_URL을 https 주소로 정하세요.",
    c_microphone: "들리는 마이크", c_no_microphone: "연결된 마이크가 없습니다.", c_microphone_denied: "허용되지 않았습니다. 주소창 옆이나 시스템 설정을 보세요.", c_microphone_busy: "있으나 열 수 없습니다. 다른 프로그램이 쓰고 있을 수 있습니다.", c_insecure: "이 주소에는 브라우저가 마이크를 주지 않습니다.",
    c_webrtc: "WebRTC", c_webrtc_no: "이 브라우저에는 없습니다. 소리는 WebSocket으로 보냅니다.", c_udp: "브라우저의 UDP 전송", c_udp_no: "정책, 확장 프로그램 또는 VPN이 WebRTC의 네트워크 사용을 막습니다.",
    c_reaches: "서버까지 UDP 도달", c_reaches_no: "방화벽이 막고 있습니다. 서버까지 UDP를 열거나 서버에 TURN 서버를 정하세요. 그때까지 소리는 WebSocket으로 보냅니다.", c_reaches_unknown: "시험하지 못했습니다. 시험이 너무 많거나 서버가 WebRTC를 받지 않습니다.",
    c_relay: "서버의 TURN 서버", c_relay_none: "정해지지 않았습니다. 엄격한 방화벽 뒤에서는 WebSocket으로 대화합니다.", c_relay_refused: "서버의 인증 정보를 거절합니다. ANTIPHON_WEBRTC__TURN_USERNAME과 __TURN_CREDENTIAL을 확인하세요.", c_relay_unreachable: "서버에 응답하지 않습니다. ANTIPHON_WEBRTC__TURN_URL을 확인하세요.",
    c_good: "좋음", c_bad: "나쁨", c_unknown: "알 수 없음",
  },
};

/** Shared with the console, which lies at the same address. */
const KEPT_AS = "antiphon-language";

function stored() {
  try {
    return localStorage.getItem(KEPT_AS);
  } catch {
    return null; // a browser that keeps nothing
  }
}

export let language = stored() ?? (navigator.language?.toLowerCase().startsWith("ko") ? "ko" : "en");
if (!(language in WORDS)) language = "en";

/** From now on the page is in this language; it is kept for the next visit where the visitor chose it. */
export function speak(chosen, { keep = true } = {}) {
  language = chosen;
  try {
    if (keep) localStorage.setItem(KEPT_AS, chosen);
  } catch {
    // it is the language of this page only, then
  }
  translate();
}

/** The words for `key`, with {names} filled in. */
export function say(key, values = {}) {
  const words = WORDS[language][key] ?? WORDS.en[key] ?? key;
  return words.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** The words that stand in the page itself: `data-say` for text, `data-label` for names that are only read aloud, `data-shown` for placeholders. */
function translate() {
  document.documentElement.lang = language;
  document.title = say("title");
  for (const element of document.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", say(element.dataset.label));
  for (const element of document.querySelectorAll("[data-shown]")) element.placeholder = say(element.dataset.shown);
}
