/** Everything the pages say, in each language. A word that a language lacks is said in English. */

const WORDS = {
  en: {
    overview: "Overview", calls: "Calls", live: "Live", talk: "Talk", people: "People", sign_in: "Sign in", sign_out: "Sign out",
    name: "Name", password: "Password", new_password: "Password (10 characters or more)", role: "Role", admin: "admin", builder: "builder", viewer: "viewer",
    set_up_title: "Make the first account", set_up_text: "It is an admin: it sees everything and decides who else may.", set_up: "Make it and go in",
    set_up_wanted: "Nobody has an account yet. Open the address that the server printed (console).",
    loading: "Loading", no_page: "There is no such page", failed: "That did not work", unreachable: "The server does not answer. Check your connection.",
    response: "Response", response_small: "caller's last sound to the first of the answer", barge_in: "Barge-in decided", barge_in_small: "from the hold, which is at once",
    p95: "p95", turns: "Turns", dropped: "dropped", interruptions: "Interruptions", false_barge_ins: "False barge-ins", went_on: "the agent went on",
    calls_now: "Calls now", free: "free", calls_taken: "Calls taken", since: "since", calls_by_hour: "Calls by hour, last 24 hours", errors: "Errors of engines and vendors",
    no_errors: "None since the server started.", vendor: "Vendor", code: "Code", count: "Count", why_ended: "Why calls ended", reason: "Reason", no_calls_yet: "No call has ended yet.", overloaded: "overloaded", draining: "draining", yes: "yes",
    began: "Began", assistant: "Assistant", lasted: "Lasted", ended: "Ended", from: "Through", recorded: "Recorded", no_calls: "No call has left a log yet. Calls appear here when they begin.", more: "Earlier calls", newer: "Later calls", of_all: "of",
    call: "Call", recording: "Recording", no_recording: "This call was not recorded.", timeline: "Timeline", transcript: "What was said", why: "Turn by turn", barge_ins: "Sounds over the agent", tools: "Tools", none: "None.",
    caller: "Caller", agent: "Agent", tool: "Tool", typed: "typed", interrupted: "interrupted", unsaid: "not heard",
    l_speech: "speech", l_sound: "sound", l_heard: "agent heard", l_held: "agent held", l_thinking: "thinking", l_guess: "guessed ahead", l_wait: "silence waited for", l_closed: "turn closed", l_would: "would have closed", l_cut: "interruption", l_kept: "went on", lane_caller: "Caller", lane_wait: "Wait", lane_model: "Model", lane_agent: "Agent",
    timeline_label: "Timeline of the call. Every event of it is in the lists below.", wave_label: "Waveform of the recording: the caller above, the agent below.",
    closed_after: "Closed {ms} after the last sound", answered_after: "answer heard after {ms}", guess_right: "the answer had been prepared", fate_dropped: "Dropped: no turn", fate_open: "Still open",
    c_silence: "silence of {silence} reached the {waited} that were asked for", c_words: "the recogniser's last words came when the silence was long enough ({waited})", c_timer: "time ran out", c_detector: "the turn detector said so", c_recogniser: "the recogniser said so", c_client: "the client said so", c_typed: "it was typed", c_keypad: "the keypad", c_call_ended: "the call ended", c_other: "another event",
    r_wait_ms: "the least wait", r_on_punctuation_ms: "plainly complete", r_on_number_ms: "ends in a number", r_on_no_punctuation_ms: "nothing says it is complete", r_max_wait_ms: "plainly incomplete", r_empty_turn_timeout_ms: "no words came", r_silence_ms: "the fixed silence", r_between: "an estimate between two of the waits",
    stage_wait: "deciding", stage_model: "model", stage_voice: "voice",
    b_yes: "Interruption", b_no: "Not an interruption", b_open: "Undecided", b_held: "held at {at}, {after} after the sound began, decided after {ms}",
    b_typed: "somebody typed", b_immediate: "the policy cuts at once", b_phrase: "it began with a phrase that takes the floor", b_num_words: "enough words", b_word_and_voice: "a word that is no acknowledgement, and enough voice", b_voice_alone: "voice that went on, though no words came", b_max_hold: "a hold lasts no longer", b_no_words: "speech, but no words came of it", b_no_speech: "a sound, never speech", b_acknowledgement: "only an acknowledgement", b_too_little: "too few, too short or too doubtful words", voice: "voice", heard_words: "words",
    what_if: "What if", what_if_text: "Move a slider and run the call's log again under other numbers. Each turn is judged by itself: what the caller would have said to another answer is not known.", run: "Run it again", running: "Running", reset: "As it was", differs: "{n} of {all} turns would have gone differently", would: "Would have: {fate} at {at}", answered: "answered", open: "open", cut_reply: "cutting the reply",
    p_wait_ms: "Least wait", p_on_punctuation_ms: "Wait when complete", p_on_no_punctuation_ms: "Wait when unclear", p_on_number_ms: "Wait after a number", p_max_wait_ms: "Longest wait", p_silence_ms: "Silence (fixed)", p_num_words: "Words to interrupt (numWords)", p_voice_ms: "Voice to interrupt (voiceSeconds)", p_voice_alone_ms: "Voice without words", p_resume_after_ms: "Resume after", p_transcript_wait_ms: "Wait for words",
    no_live: "No call is live.", floor: "Floor", last_words: "Last words", f_caller: "Caller speaks", f_agent: "Agent speaks", f_held: "Agent is held", f_thinking: "Thinking", f_nobody: "Silence", end_call: "End the call", end_sure: "Press again to end it", say: "Say", say_label: "Say something in the agent's voice", over: "The call is over: {reason}", see_it: "See it whole", lost: "The connection was lost; trying again.", m_held: "held", m_resumed: "went on after {ms}", m_interrupted: "interrupted", m_dropped: "no turn", m_heard: "answer heard after {ms}", m_failure: "{provider} failed ({code})",
    add_person: "Add somebody", add: "Add", remove: "Remove", remove_sure: "Press again to remove", audit: "Who did what", when: "When", who: "Who", what: "What", subject: "To what", you: "you",
    assistants: "Assistants", new_assistant: "New assistant", no_assistants: "None is kept here yet.", more_assistants: "Older ones", files: "Files on the server", files_text: "They are changed where they are; duplicate one to change it here.", file_only: "This is a file on the server. Duplicate it to change it here.", read_only: "You may look at it, and not change it.",
    model: "Model", voice_of: "Voice", transcriber: "Transcriber", version: "Version", versions: "Versions", changed_at: "Changed", g_speaks: "What it says", first_message: "First message", prompt: "Prompt", provider: "Provider", model_name: "Model", temperature: "Temperature", voice_id: "Voice", language: "Language",
    save: "Save", saved: "Saved as {version}.", unsaved: "Not saved yet.", wrong_fields: "Not saved: see what is marked.", try_it: "Try it", copy: "Duplicate", view: "View", as_form: "Form", as_json: "JSON", json_object: "The whole must be an object: { … }", newer_there: "Somebody has saved {version} meanwhile. Save again to put yours in its place.",
    workflow: "Workflow", no_workflow: "This assistant has no workflow.", graph: "Graph", graph_label: "Graph of {nodes} nodes and {edges} edges; the edges are listed below.", edges: "Edges", in_text: "Try it in text", in_text_label: "Say something as the caller", send: "Send",
    kept: "Tools & more", k_tool: "Tools", "k_phone-number": "Numbers", k_credential: "Credentials", k_eval: "Evals", type: "Type", address: "Address (URL)", description: "Description", number: "Number", account_sid: "Account SID", auth_token: "Auth token", api_key: "API key", saved_now: "Saved.",
    secrets_text: "Secrets are kept sealed and never shown; what is left empty stays as it is.", runs: "Runs", run_eval: "Run", pass: "passed", fail: "failed", make_test: "Make this a test",
    listen_in: "Listen in", mute_agent: "Mute the agent", mute_caller: "Mute the caller", transfer: "Transfer", transfer_label: "Transfer to a number or SIP address",
    status: "Status", cost: "Cost", any: "any", filter: "Filter", assistant_id: "Assistant (its id)", since_day: "From", until_day: "To", none_found: "No call is like that.", all_logs: "All event logs", no_call: "There is no such call", no_log: "This call left no event log here; this is its record.",
    s_scheduled: "scheduled", s_queued: "queued", s_ringing: "ringing", "s_in-progress": "live", s_forwarding: "forwarding", s_ended: "ended", t_inboundPhoneCall: "telephone, in", t_outboundPhoneCall: "telephone, out", t_webCall: "web", "t_vapi.websocketCall": "WebSocket",
    amount: "Amount", characters: "characters", tokens: "tokens", analysis: "Analysis", success: "Success", without_effect: "Kept, without effect", webhooks: "Told to applications", attempts: "Attempts",
    what_changed: "What it changed", against_now: "Against the newest", changes_between: "From {old} to {new}", no_changes: "Nothing differs.", restore: "Restore", restore_sure: "Press again to restore", back_to_it: "Back to the assistant", line_added: "added: ", line_removed: "removed: ",
  },
  ko: {
    overview: "개요", calls: "통화 기록", live: "진행 중", talk: "대화하기", people: "사용자", sign_in: "로그인", sign_out: "로그아웃",
    name: "이름", password: "비밀번호", new_password: "비밀번호 (10자 이상)", role: "역할", admin: "관리자", builder: "제작자", viewer: "열람자",
    set_up_title: "첫 계정 만들기", set_up_text: "관리자 계정입니다. 모든 것을 보고, 누가 들어올 수 있는지 정합니다.", set_up: "만들고 들어가기",
    set_up_wanted: "아직 계정이 없습니다. 서버가 출력한 주소(console)를 여세요.",
    loading: "불러오는 중", no_page: "없는 페이지입니다", failed: "처리하지 못했습니다", unreachable: "서버가 응답하지 않습니다. 연결을 확인하세요.",
    response: "응답 시간", response_small: "발신자의 마지막 소리부터 답의 첫 소리까지", barge_in: "끼어들기 판단", barge_in_small: "즉시 멈춘 뒤 판단까지",
    p95: "p95", turns: "발화 차례", dropped: "버려짐", interruptions: "끼어들기", false_barge_ins: "잘못된 멈춤", went_on: "에이전트가 이어 말함",
    calls_now: "현재 통화", free: "여유", calls_taken: "받은 통화", since: "시작", calls_by_hour: "시간별 통화 (최근 24시간)", errors: "엔진과 공급사 오류",
    no_errors: "서버 시작 이후 없음.", vendor: "공급사", code: "코드", count: "횟수", why_ended: "통화 종료 이유", reason: "이유", no_calls_yet: "아직 끝난 통화가 없습니다.", overloaded: "과부하", draining: "종료 준비 중", yes: "예",
    began: "시작", assistant: "어시스턴트", lasted: "길이", ended: "종료", from: "경로", recorded: "녹음", no_calls: "아직 기록된 통화가 없습니다. 통화가 시작되면 여기에 나타납니다.", more: "이전 통화", newer: "이후 통화", of_all: "/",
    call: "통화", recording: "녹음", no_recording: "이 통화는 녹음되지 않았습니다.", timeline: "타임라인", transcript: "대화 내용", why: "차례별 설명", barge_ins: "에이전트 발화 중의 소리", tools: "도구", none: "없음.",
    caller: "발신자", agent: "에이전트", tool: "도구", typed: "입력", interrupted: "끼어듦", unsaid: "들리지 않음",
    l_speech: "말", l_sound: "소리", l_heard: "에이전트 말", l_held: "멈춤", l_thinking: "생각", l_guess: "미리 추측", l_wait: "기다린 침묵", l_closed: "차례 종료", l_would: "달랐을 종료", l_cut: "끼어들기", l_kept: "이어 말함", lane_caller: "발신자", lane_wait: "대기", lane_model: "모델", lane_agent: "에이전트",
    timeline_label: "통화 타임라인. 모든 사건은 아래 목록에 있습니다.", wave_label: "녹음 파형: 위는 발신자, 아래는 에이전트.",
    closed_after: "마지막 소리 {ms} 뒤에 닫힘", answered_after: "{ms} 뒤에 답이 들림", guess_right: "답이 미리 준비됨", fate_dropped: "버려짐: 차례가 아님", fate_open: "아직 열림",
    c_silence: "침묵 {silence}가 요구된 {waited}에 이름", c_words: "침묵이 충분했고({waited}) 마지막 단어가 도착함", c_timer: "시간 초과", c_detector: "차례 감지기의 판단", c_recogniser: "인식기의 판단", c_client: "클라이언트의 요청", c_typed: "입력됨", c_keypad: "키패드", c_call_ended: "통화 종료", c_other: "다른 사건",
    r_wait_ms: "최소 대기", r_on_punctuation_ms: "분명히 끝남", r_on_number_ms: "숫자로 끝남", r_on_no_punctuation_ms: "끝났는지 알 수 없음", r_max_wait_ms: "분명히 끝나지 않음", r_empty_turn_timeout_ms: "단어가 없음", r_silence_ms: "고정된 침묵", r_between: "두 대기 사이의 추정",
    stage_wait: "판단", stage_model: "모델", stage_voice: "음성",
    b_yes: "끼어들기", b_no: "끼어들기 아님", b_open: "미정", b_held: "{at}에 멈춤, 소리 시작 {after} 뒤, 판단까지 {ms}",
    b_typed: "누군가 입력함", b_immediate: "정책이 즉시 끊음", b_phrase: "발언권을 가져가는 말로 시작", b_num_words: "단어 수가 충분", b_word_and_voice: "맞장구가 아닌 단어와 충분한 음성", b_voice_alone: "단어 없이 이어진 음성", b_max_hold: "더 오래 멈추지 않음", b_no_words: "말이었으나 단어가 없음", b_no_speech: "말이 아닌 소리", b_acknowledgement: "맞장구일 뿐", b_too_little: "단어가 적거나 짧거나 불확실", voice: "음성", heard_words: "단어",
    what_if: "만약에", what_if_text: "슬라이더를 움직여 다른 값으로 통화 기록을 다시 실행합니다. 각 차례는 따로 판단됩니다. 다른 답에 발신자가 무엇이라 했을지는 알 수 없습니다.", run: "다시 실행", running: "실행 중", reset: "원래대로", differs: "{all}개 중 {n}개 차례가 달라짐", would: "달랐다면: {at}에 {fate}", answered: "답함", open: "열림", cut_reply: "답을 끊음",
    p_wait_ms: "최소 대기", p_on_punctuation_ms: "끝났을 때 대기", p_on_no_punctuation_ms: "불분명할 때 대기", p_on_number_ms: "숫자 뒤 대기", p_max_wait_ms: "최장 대기", p_silence_ms: "침묵 (고정)", p_num_words: "끼어들기 단어 수 (numWords)", p_voice_ms: "끼어들기 음성 (voiceSeconds)", p_voice_alone_ms: "단어 없는 음성", p_resume_after_ms: "이어 말하기까지", p_transcript_wait_ms: "단어 기다림",
    no_live: "진행 중인 통화가 없습니다.", floor: "발언권", last_words: "마지막 말", f_caller: "발신자가 말함", f_agent: "에이전트가 말함", f_held: "에이전트 멈춤", f_thinking: "생각 중", f_nobody: "침묵", end_call: "통화 끝내기", end_sure: "한 번 더 누르면 끝납니다", say: "말하기", say_label: "에이전트의 목소리로 말하기", over: "통화가 끝났습니다: {reason}", see_it: "전체 보기", lost: "연결이 끊겼습니다. 다시 시도합니다.", m_held: "멈춤", m_resumed: "{ms} 뒤 이어 말함", m_interrupted: "끼어듦", m_dropped: "차례 아님", m_heard: "{ms} 뒤 답이 들림", m_failure: "{provider} 실패 ({code})",
    add_person: "사용자 추가", add: "추가", remove: "삭제", remove_sure: "한 번 더 누르면 삭제됩니다", audit: "누가 무엇을 했나", when: "언제", who: "누가", what: "무엇을", subject: "대상", you: "나",
    assistants: "어시스턴트 목록", new_assistant: "새 어시스턴트", no_assistants: "아직 저장된 것이 없습니다.", more_assistants: "더 오래된 것", files: "서버의 파일", files_text: "파일은 서버에서 고칩니다. 여기서 고치려면 복제하세요.", file_only: "서버의 파일입니다. 여기서 고치려면 복제하세요.", read_only: "볼 수 있으나 고칠 수 없습니다.",
    model: "모델", voice_of: "목소리", transcriber: "음성 인식", version: "버전", versions: "버전 기록", changed_at: "변경", g_speaks: "하는 말", first_message: "첫 메시지", prompt: "프롬프트", provider: "공급사", model_name: "모델", temperature: "온도", voice_id: "목소리", language: "언어",
    save: "저장", saved: "{version}(으)로 저장됨.", unsaved: "아직 저장되지 않음.", wrong_fields: "저장되지 않음: 표시된 곳을 보세요.", try_it: "대화해 보기", copy: "복제", view: "보기", as_form: "양식", as_json: "JSON", json_object: "전체가 객체여야 합니다: { … }", newer_there: "그동안 다른 사람이 {version}을(를) 저장했습니다. 다시 저장하면 덮어씁니다.",
    workflow: "워크플로", no_workflow: "이 어시스턴트에는 워크플로가 없습니다.", graph: "그래프", graph_label: "노드 {nodes}개, 연결 {edges}개의 그래프. 연결은 아래에 적혀 있습니다.", edges: "연결", in_text: "글로 대화해 보기", in_text_label: "발신자로 말하기", send: "보내기",
    kept: "도구 등", k_tool: "도구", "k_phone-number": "전화번호", k_credential: "인증 정보", k_eval: "평가", type: "종류", address: "주소 (URL)", description: "설명", number: "번호", account_sid: "계정 SID", auth_token: "인증 토큰", api_key: "API 키", saved_now: "저장됨.",
    secrets_text: "비밀 값은 봉인되어 표시되지 않습니다. 비워 두면 그대로입니다.", runs: "실행 기록", run_eval: "실행", pass: "통과", fail: "실패", make_test: "테스트로 만들기",
    listen_in: "함께 듣기", mute_agent: "에이전트 음소거", mute_caller: "발신자 음소거", transfer: "전환", transfer_label: "전환할 번호 또는 SIP 주소",
    status: "상태", cost: "비용", any: "모두", filter: "거르기", assistant_id: "어시스턴트 (ID)", since_day: "부터", until_day: "까지", none_found: "해당하는 통화가 없습니다.", all_logs: "모든 이벤트 로그", no_call: "없는 통화입니다", no_log: "이 통화의 이벤트 로그가 없습니다. 저장된 기록만 보입니다.",
    s_scheduled: "예약됨", s_queued: "대기", s_ringing: "울리는 중", "s_in-progress": "진행 중", s_forwarding: "전달 중", s_ended: "종료", t_inboundPhoneCall: "전화 수신", t_outboundPhoneCall: "전화 발신", t_webCall: "웹", "t_vapi.websocketCall": "WebSocket",
    amount: "양", characters: "자", tokens: "토큰", analysis: "분석", success: "성공 여부", without_effect: "저장되나 효과 없음", webhooks: "애플리케이션에 알린 것", attempts: "시도",
    what_changed: "바뀐 점", against_now: "최신과 비교", changes_between: "{old}에서 {new}(으)로", no_changes: "차이가 없습니다.", restore: "복원", restore_sure: "한 번 더 누르면 복원됩니다", back_to_it: "어시스턴트로 돌아가기", line_added: "추가: ", line_removed: "삭제: ",
  },
};

function stored() {
  try {
    return localStorage.getItem("antiphon-language");
  } catch {
    return null; // a browser that keeps nothing
  }
}

export let language = stored() ?? (navigator.language?.toLowerCase().startsWith("ko") ? "ko" : "en");
if (!(language in WORDS)) language = "en";

export function speak(chosen) {
  language = chosen;
  document.documentElement.lang = chosen;
  try {
    localStorage.setItem("antiphon-language", chosen);
  } catch {
    // it is the language of this page only, then
  }
}

/** The words for `key`, with {names} filled in. */
export function say(key, values = {}) {
  const words = WORDS[language][key] ?? WORDS.en[key] ?? key;
  return words.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
