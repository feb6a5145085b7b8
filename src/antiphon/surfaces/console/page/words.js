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
    began: "Began", assistant: "Assistant", lasted: "Lasted", ended: "Ended", from: "Through", recorded: "Recorded", no_calls: "No call has left a log yet. Calls appear here when they begin.", more: "Earlier calls", newer: "Later calls", pages: "Pages", part_of_all: "{part} of {total}",
    call: "Call", recording: "Recording", no_recording: "This call was not recorded.", timeline: "Timeline", transcript: "What was said", why: "Turn by turn", barge_ins: "Sounds over the agent", tools: "Tools", none: "None.",
    caller: "Caller", agent: "Agent", tool: "Tool", typed: "typed", interrupted: "interrupted", unsaid: "not heard",
    l_speech: "speech", l_sound: "sound", l_heard: "agent heard", l_held: "agent held", l_thinking: "thinking", l_guess: "guessed ahead", l_wait: "silence waited for", l_closed: "turn closed", l_would: "would have closed", l_cut: "interruption", l_kept: "went on", lane_caller: "Caller", lane_wait: "Wait", lane_model: "Model", lane_agent: "Agent",
    timeline_label: "Timeline of the call. Every event of it is in the lists below.", wave_label: "Waveform of the recording: the caller above, the agent below.",
    closed_after: "Closed {ms} after the last sound", answered_after: "answer heard after {ms}", guess_right: "the answer had been prepared", fate_dropped: "Dropped: no turn", fate_open: "Still open",
    c_silence: "silence of {silence} reached the {waited} that were asked for", c_words: "the recogniser's last words came when the silence was long enough ({waited})", c_timer: "time ran out", c_detector: "the turn detector said so", c_recogniser: "the recogniser said so", c_client: "the client said so", c_typed: "it was typed", c_keypad: "the keypad", c_call_ended: "the call ended", c_other: "another event",
    r_wait_ms: "the least wait", r_on_punctuation_ms: "plainly complete", r_on_number_ms: "ends in a number", r_on_no_punctuation_ms: "nothing says it is complete", r_max_wait_ms: "plainly incomplete", r_empty_turn_timeout_ms: "no words came", r_silence_ms: "the fixed silence", r_between: "an estimate between two of the waits",
    stage_wait: "deciding", stage_model: "model", stage_voice: "voice",
    b_yes: "Interruption", b_no: "Not an interruption", b_open: "Undecided", b_held: "held at {at}, {after} after the sound began, decided after {ms}", b_held_open: "held at {at}; the answer ended before it was decided",
    b_typed: "somebody typed", b_immediate: "the policy cuts at once", b_phrase: "it began with a phrase that takes the floor", b_num_words: "enough words", b_word_and_voice: "a word that is no acknowledgement, and enough voice", b_voice_alone: "voice that went on, though no words came", b_max_hold: "a hold lasts no longer", b_no_words: "speech, but no words came of it", b_no_speech: "a sound, never speech", b_acknowledgement: "only an acknowledgement", b_too_little: "too few, too short or too doubtful words", voice: "voice", heard_words: "words",
    what_if: "What if", what_if_text: "Move a slider and run the call's log again under other numbers. Each turn is judged by itself: what the caller would have said to another answer is not known.", run: "Run it again", running: "Running", reset: "As it was", differs: "{n} of {all} turns would have gone differently", would: "Would have: {fate} at {at}", answered: "answered", open: "open", cut_reply: "cutting the reply",
    p_wait_ms: "Least wait", p_on_punctuation_ms: "Wait when complete", p_on_no_punctuation_ms: "Wait when unclear", p_on_number_ms: "Wait after a number", p_max_wait_ms: "Longest wait", p_silence_ms: "Silence (fixed)", p_num_words: "Words to interrupt (numWords)", p_voice_ms: "Voice to interrupt (voiceSeconds)", p_voice_alone_ms: "Voice without words", p_resume_after_ms: "Resume after", p_transcript_wait_ms: "Wait for words",
    no_live: "No call is live.", floor: "Floor", last_words: "Last words", f_caller: "Caller speaks", f_agent: "Agent speaks", f_held: "Agent is held", f_thinking: "Thinking", f_nobody: "Silence", end_call: "End the call", end_sure: "Press again to end it", say: "Say", say_label: "Say something in the agent's voice", over: "The call is over: {reason}", over_unknown: "The call is over, or another server holds it.", see_it: "See it whole", lost: "The connection was lost; trying again.", m_held: "held", m_resumed: "went on after {ms}", m_interrupted: "interrupted", m_dropped: "no turn", m_heard: "answer heard after {ms}", m_failure: "{provider} failed ({code})",
    add_person: "Add somebody", add: "Add", remove: "Remove", remove_sure: "Press again to remove", audit: "Who did what", see_audit: "See the audit log", more_people: "Next", earlier_people: "Before", when: "When", who: "Who", what: "What", subject: "To what", you: "you",
    assistants: "Assistants", new_assistant: "New assistant", no_assistants: "None is kept here yet.", files: "Files on the server", unusable: "Files that cannot be used", files_text: "They are changed where they are; duplicate one to change it here.", file_only: "This is a file on the server. Duplicate it to change it here.", read_only: "You may look at it, and not change it.",
    model: "Model", voice_of: "Voice", transcriber: "Transcriber", version: "Version", versions: "Versions", changed_at: "Changed", g_speaks: "What it says", first_message: "First message", prompt: "Prompt", provider: "Provider", model_name: "Model", temperature: "Temperature", voice_id: "Voice", language: "Language",
    save: "Save", saved: "Saved as {version}.", unsaved: "Not saved yet.", wrong_fields: "Not saved: see what is marked.", try_it: "Try it", copy: "Duplicate", view: "View", as_form: "Form", as_json: "JSON", json_object: "The whole must be an object: { … }", newer_there: "Somebody has saved {version} meanwhile. Save again to put yours in its place.", newer_there_at: "Somebody has saved this meanwhile ({when}). Save again to put yours in its place.", leave_unsaved: "What you have changed here is not saved. Leave it?", come_back: "Your session has ended", come_back_text: "Sign in again to go on where you are. Nothing of this page is lost.", not_now: "Not now", stale: "The server does not answer. What you see here is from before; it goes on by itself when the server is back.",
    workflow: "Workflow", no_workflow: "This assistant has no workflow.", graph: "Graph", graph_label: "Graph of {nodes} nodes and {edges} edges; the edges are listed below.", edges: "Edges", in_text: "Try it in text", in_text_label: "Say something as the caller", send: "Send",
    kept: "Tools & more", k_tool: "Tools", "k_phone-number": "Numbers", k_credential: "Credentials", k_eval: "Evals", new_tool: "New tool", "new_phone-number": "New number", new_credential: "New credential", new_eval: "New eval", type: "Type", address: "Address (URL)", description: "Description", number: "Number", account_sid: "Account SID", auth_token: "Auth token", api_key: "API key", saved_now: "Saved.",
    secrets_text: "Secrets are kept sealed and never shown; what is left empty stays as it is.", runs: "Runs", run_eval: "Run", pass: "passed", fail: "failed", make_test: "Make this a test",
    listen_in: "Listen in", mute_agent: "Mute the agent", mute_caller: "Mute the caller", transfer: "Transfer", transfer_label: "Transfer to a number or SIP address",
    status: "Status", cost: "Cost", any: "any", filter: "Filter", assistant_id: "Assistant (its id)", since_day: "From", until_day: "To", none_found: "No call is like that.", all_logs: "All event logs", no_call: "There is no such call", no_log: "This call left no event log here; this is its record.",
    s_scheduled: "scheduled", s_queued: "queued", s_ringing: "ringing", "s_in-progress": "live", s_forwarding: "forwarding", s_ended: "ended", t_inboundPhoneCall: "telephone, in", t_outboundPhoneCall: "telephone, out", t_webCall: "web", "t_vapi.websocketCall": "WebSocket",
    amount: "Amount", characters: "characters", tokens: "tokens", analysis: "Analysis", success: "Success", without_effect: "Kept, without effect", webhooks: "Told to applications", attempts: "Attempts",
    what_changed: "What it changed", against_now: "Against the newest", changes_between: "From {old} to {new}", no_changes: "Nothing differs.", restore: "Restore", restore_sure: "Press again to restore", back_to_it: "Back to the assistant", line_added: "added: ", line_removed: "removed: ",
    by_day: "Day by day", by_day_text: "Of all calls the database has a record of, over 14 days (UTC). A restart does not forget them.", by_day_part: "Of the newest 2000 calls the database has a record of, over 14 days (UTC). A restart does not forget them.", day: "Day", since_start: "Since this process started, {when}",
    next_try: "Next try", no_answer: "no answer", none_yet: "None yet.", d_pending: "waiting", d_delivered: "delivered", d_failed: "given up", more_kept: "Older ones", newer_kept: "Newer ones",
    begin_workflow: "Begin a workflow", begin_workflow_text: "Its rules then answer in the place of the model.", workflow_file: "This assistant is a file of the server: its workflow is read here, and changed there. Duplicate it to edit a copy here.",
    node: "Node", edge: "Edge", element: "What is chosen", nodes_and_edges: "Nodes and edges", whole_workflow: "The whole workflow", choose_one: "Choose a node or an edge in the graph or in the list to edit it. Nodes are moved by hand, or with the arrow keys.", wrong_workflow: "Not saved: see what is marked.", wrong_trial: "It cannot be tried while something in it is wrong.",
    undo: "Undo", redo: "Redo", undone: "Undone", redone: "Done again", tidy: "Tidy up", g_node: "What it says", starts_here: "starts here", is_wrong: "wrong", is_doubtful: "doubtful", live_here: "live calls: {count}", trial_here: "your try stands here", live_now: "Live calls", stands_at: "Stands at: {node}", begin_again: "Begin again", from_nowhere: "From nodes that are not there",
    n_conversation: "conversation", n_tool: "tool", n_transfer: "transfer", n_end: "end", n_hangup: "end", says: "Says first", reprompt: "When not understood", help_text: "When asked for help", tool_id: "Tool (its id)", destination: "Number or SIP address", name_taken: "Another node has this name.", name_wanted: "A node needs a name.",
    slots: "Asks for", slot: "Value", add_slot: "Add a value", ask: "Asks", confirm: "Confirms with", earlier: "Earlier", later: "Later", from_anywhere: "From anywhere", from_anywhere_text: "can be entered from every node", connect_to: "Lead on to", connect: "Add an edge", all_as_json: "Everything, as JSON",
    condition: "Condition", condition_prompt: "What the caller wants, in words", condition_liquid: "Values, as {{ name == value }}", intent: "Intent", phrases: "Phrases, a line each", says_on_the_way: "Says on the way", clear: "Forgets (values, by commas)", from_node: "From", to_node: "To", not_understood: "Where nobody is understood", max_attempts: "After so many tries", then_to: "go to", timezone: "Time zone", meaning: "Understand by meaning, too",
    e_always: "always, else", e_examples: "the caller says", e_ai: "the caller wants", e_logic: "values are", e_failed: "the tool failed", e_corrected: "a value was corrected",
    i_yes: "yes", i_no: "no", i_human: "a person", i_goodbye: "goodbye", i_repeat: "repeat", i_help: "help", i_greeting: "greeting", "i_start-over": "start over", i_done: "done", i_cancel: "cancel", i_reschedule: "reschedule",
    v_by_schema: "by its schema", v_date: "date", v_time: "time", v_number: "number", v_digits: "digits", v_phone: "telephone number", v_name: "name", "v_yes-no": "yes or no", v_choice: "choice", v_email: "e-mail", v_text: "text",
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
    began: "시작", assistant: "어시스턴트", lasted: "길이", ended: "종료", from: "경로", recorded: "녹음", no_calls: "아직 기록된 통화가 없습니다. 통화가 시작되면 여기에 나타납니다.", more: "이전 통화", newer: "이후 통화", pages: "쪽", part_of_all: "{total} 중 {part}",
    call: "통화", recording: "녹음", no_recording: "이 통화는 녹음되지 않았습니다.", timeline: "타임라인", transcript: "대화 내용", why: "차례별 설명", barge_ins: "에이전트 발화 중의 소리", tools: "도구", none: "없음.",
    caller: "발신자", agent: "에이전트", tool: "도구", typed: "입력", interrupted: "끼어듦", unsaid: "들리지 않음",
    l_speech: "말", l_sound: "소리", l_heard: "에이전트 말", l_held: "멈춤", l_thinking: "생각", l_guess: "미리 추측", l_wait: "기다린 침묵", l_closed: "차례 종료", l_would: "달랐을 종료", l_cut: "끼어들기", l_kept: "이어 말함", lane_caller: "발신자", lane_wait: "대기", lane_model: "모델", lane_agent: "에이전트",
    timeline_label: "통화 타임라인. 모든 사건은 아래 목록에 있습니다.", wave_label: "녹음 파형: 위는 발신자, 아래는 에이전트.",
    closed_after: "마지막 소리 {ms} 뒤에 닫힘", answered_after: "{ms} 뒤에 답이 들림", guess_right: "답이 미리 준비됨", fate_dropped: "버려짐: 차례가 아님", fate_open: "아직 열림",
    c_silence: "침묵 {silence}가 요구된 {waited}에 이름", c_words: "침묵이 충분했고({waited}) 마지막 단어가 도착함", c_timer: "시간 초과", c_detector: "차례 감지기의 판단", c_recogniser: "인식기의 판단", c_client: "클라이언트의 요청", c_typed: "입력됨", c_keypad: "키패드", c_call_ended: "통화 종료", c_other: "다른 사건",
    r_wait_ms: "최소 대기", r_on_punctuation_ms: "분명히 끝남", r_on_number_ms: "숫자로 끝남", r_on_no_punctuation_ms: "끝났는지 알 수 없음", r_max_wait_ms: "분명히 끝나지 않음", r_empty_turn_timeout_ms: "단어가 없음", r_silence_ms: "고정된 침묵", r_between: "두 대기 사이의 추정",
    stage_wait: "판단", stage_model: "모델", stage_voice: "음성",
    b_yes: "끼어들기", b_no: "끼어들기 아님", b_open: "미정", b_held: "{at}에 멈춤, 소리 시작 {after} 뒤, 판단까지 {ms}", b_held_open: "{at}에 멈춤, 판정되기 전에 답이 끝남",
    b_typed: "누군가 입력함", b_immediate: "정책이 즉시 끊음", b_phrase: "발언권을 가져가는 말로 시작", b_num_words: "단어 수가 충분", b_word_and_voice: "맞장구가 아닌 단어와 충분한 음성", b_voice_alone: "단어 없이 이어진 음성", b_max_hold: "더 오래 멈추지 않음", b_no_words: "말이었으나 단어가 없음", b_no_speech: "말이 아닌 소리", b_acknowledgement: "맞장구일 뿐", b_too_little: "단어가 적거나 짧거나 불확실", voice: "음성", heard_words: "단어",
    what_if: "만약에", what_if_text: "슬라이더를 움직여 다른 값으로 통화 기록을 다시 실행합니다. 각 차례는 따로 판단됩니다. 다른 답에 발신자가 무엇이라 했을지는 알 수 없습니다.", run: "다시 실행", running: "실행 중", reset: "원래대로", differs: "{all}개 중 {n}개 차례가 달라짐", would: "달랐다면: {at}에 {fate}", answered: "답함", open: "열림", cut_reply: "답을 끊음",
    p_wait_ms: "최소 대기", p_on_punctuation_ms: "끝났을 때 대기", p_on_no_punctuation_ms: "불분명할 때 대기", p_on_number_ms: "숫자 뒤 대기", p_max_wait_ms: "최장 대기", p_silence_ms: "침묵 (고정)", p_num_words: "끼어들기 단어 수 (numWords)", p_voice_ms: "끼어들기 음성 (voiceSeconds)", p_voice_alone_ms: "단어 없는 음성", p_resume_after_ms: "이어 말하기까지", p_transcript_wait_ms: "단어 기다림",
    no_live: "진행 중인 통화가 없습니다.", floor: "발언권", last_words: "마지막 말", f_caller: "발신자가 말함", f_agent: "에이전트가 말함", f_held: "에이전트 멈춤", f_thinking: "생각 중", f_nobody: "침묵", end_call: "통화 끝내기", end_sure: "한 번 더 누르면 끝납니다", say: "말하기", say_label: "에이전트의 목소리로 말하기", over: "통화가 끝났습니다: {reason}", over_unknown: "통화가 끝났거나 다른 서버에 있습니다.", see_it: "전체 보기", lost: "연결이 끊겼습니다. 다시 시도합니다.", m_held: "멈춤", m_resumed: "{ms} 뒤 이어 말함", m_interrupted: "끼어듦", m_dropped: "차례 아님", m_heard: "{ms} 뒤 답이 들림", m_failure: "{provider} 실패 ({code})",
    add_person: "사용자 추가", add: "추가", remove: "삭제", remove_sure: "한 번 더 누르면 삭제됩니다", audit: "누가 무엇을 했나", see_audit: "감사 기록 보기", more_people: "다음", earlier_people: "이전", when: "언제", who: "누가", what: "무엇을", subject: "대상", you: "나",
    assistants: "어시스턴트 목록", new_assistant: "새 어시스턴트", no_assistants: "아직 저장된 것이 없습니다.", files: "서버의 파일", unusable: "쓸 수 없는 파일", files_text: "파일은 서버에서 고칩니다. 여기서 고치려면 복제하세요.", file_only: "서버의 파일입니다. 여기서 고치려면 복제하세요.", read_only: "볼 수 있으나 고칠 수 없습니다.",
    model: "모델", voice_of: "목소리", transcriber: "음성 인식", version: "버전", versions: "버전 기록", changed_at: "변경", g_speaks: "하는 말", first_message: "첫 메시지", prompt: "프롬프트", provider: "공급사", model_name: "모델", temperature: "온도", voice_id: "목소리", language: "언어",
    save: "저장", saved: "{version}(으)로 저장됨.", unsaved: "아직 저장되지 않음.", wrong_fields: "저장되지 않음: 표시된 곳을 보세요.", try_it: "대화해 보기", copy: "복제", view: "보기", as_form: "양식", as_json: "JSON", json_object: "전체가 객체여야 합니다: { … }", newer_there: "그동안 다른 사람이 {version}을(를) 저장했습니다. 다시 저장하면 덮어씁니다.", newer_there_at: "그동안 다른 사람이 저장했습니다 ({when}). 다시 저장하면 덮어씁니다.", leave_unsaved: "바꾼 내용이 저장되지 않았습니다. 이대로 나갈까요?", come_back: "로그인이 만료되었습니다", come_back_text: "다시 로그인하면 이 화면에서 이어갈 수 있습니다. 입력한 내용은 그대로 남습니다.", not_now: "나중에", stale: "서버가 응답하지 않습니다. 지금 보이는 것은 그 전의 내용이며, 서버가 돌아오면 저절로 이어집니다.",
    workflow: "워크플로", no_workflow: "이 어시스턴트에는 워크플로가 없습니다.", graph: "그래프", graph_label: "노드 {nodes}개, 연결 {edges}개의 그래프. 연결은 아래에 적혀 있습니다.", edges: "연결", in_text: "글로 대화해 보기", in_text_label: "발신자로 말하기", send: "보내기",
    kept: "도구 등", k_tool: "도구", "k_phone-number": "전화번호", k_credential: "인증 정보", k_eval: "평가", new_tool: "새 도구", "new_phone-number": "새 번호", new_credential: "새 자격 증명", new_eval: "새 평가", type: "종류", address: "주소 (URL)", description: "설명", number: "번호", account_sid: "계정 SID", auth_token: "인증 토큰", api_key: "API 키", saved_now: "저장됨.",
    secrets_text: "비밀 값은 봉인되어 표시되지 않습니다. 비워 두면 그대로입니다.", runs: "실행 기록", run_eval: "실행", pass: "통과", fail: "실패", make_test: "테스트로 만들기",
    listen_in: "함께 듣기", mute_agent: "에이전트 음소거", mute_caller: "발신자 음소거", transfer: "전환", transfer_label: "전환할 번호 또는 SIP 주소",
    status: "상태", cost: "비용", any: "모두", filter: "거르기", assistant_id: "어시스턴트 (ID)", since_day: "부터", until_day: "까지", none_found: "해당하는 통화가 없습니다.", all_logs: "모든 이벤트 로그", no_call: "없는 통화입니다", no_log: "이 통화의 이벤트 로그가 없습니다. 저장된 기록만 보입니다.",
    s_scheduled: "예약됨", s_queued: "대기", s_ringing: "울리는 중", "s_in-progress": "진행 중", s_forwarding: "전달 중", s_ended: "종료", t_inboundPhoneCall: "전화 수신", t_outboundPhoneCall: "전화 발신", t_webCall: "웹", "t_vapi.websocketCall": "WebSocket",
    amount: "양", characters: "자", tokens: "토큰", analysis: "분석", success: "성공 여부", without_effect: "저장되나 효과 없음", webhooks: "애플리케이션에 알린 것", attempts: "시도",
    what_changed: "바뀐 점", against_now: "최신과 비교", changes_between: "{old}에서 {new}(으)로", no_changes: "차이가 없습니다.", restore: "복원", restore_sure: "한 번 더 누르면 복원됩니다", back_to_it: "어시스턴트로 돌아가기", line_added: "추가: ", line_removed: "삭제: ",
    by_day: "날짜별", by_day_text: "데이터베이스에 기록된 모든 통화, 14일간 (UTC). 다시 시작해도 남습니다.", by_day_part: "데이터베이스에 기록된 최근 통화 2000건, 14일간 (UTC). 다시 시작해도 남습니다.", day: "날짜", since_start: "이 프로세스가 시작된 뒤: {when}",
    next_try: "다음 시도", no_answer: "응답 없음", none_yet: "아직 없음.", d_pending: "대기 중", d_delivered: "전달됨", d_failed: "포기함", more_kept: "더 오래된 것", newer_kept: "더 새로운 것",
    begin_workflow: "워크플로 시작하기", begin_workflow_text: "그러면 모델 대신 규칙이 답합니다.", workflow_file: "서버의 파일에 있는 어시스턴트입니다. 워크플로를 여기서 볼 수 있고, 고치려면 복제하세요.",
    node: "노드", edge: "연결", element: "선택한 것", nodes_and_edges: "노드와 연결", whole_workflow: "워크플로 전체", choose_one: "그래프나 목록에서 노드나 연결을 골라 고치세요. 노드는 끌거나 화살표 키로 옮깁니다.", wrong_workflow: "저장되지 않음: 표시된 곳을 보세요.", wrong_trial: "틀린 곳이 있는 동안은 대화해 볼 수 없습니다.",
    undo: "실행 취소", redo: "다시 실행", undone: "취소됨", redone: "다시 실행됨", tidy: "정돈", g_node: "하는 말", starts_here: "여기서 시작", is_wrong: "틀림", is_doubtful: "의심스러움", live_here: "진행 중 통화: {count}", trial_here: "시험 대화가 여기 있음", live_now: "진행 중 통화", stands_at: "현재 노드: {node}", begin_again: "처음부터", from_nowhere: "없는 노드에서",
    n_conversation: "대화", n_tool: "도구", n_transfer: "전환", n_end: "종료", n_hangup: "종료", says: "먼저 하는 말", reprompt: "못 알아들었을 때", help_text: "도움을 청할 때", tool_id: "도구 (ID)", destination: "번호 또는 SIP 주소", name_taken: "다른 노드의 이름입니다.", name_wanted: "노드에는 이름이 필요합니다.",
    slots: "묻는 값", slot: "값", add_slot: "값 추가", ask: "질문", confirm: "확인 질문", earlier: "앞으로", later: "뒤로", from_anywhere: "어디서나", from_anywhere_text: "모든 노드에서 들어올 수 있음", connect_to: "이어질 노드", connect: "연결 추가", all_as_json: "전체를 JSON으로",
    condition: "조건", condition_prompt: "발신자가 원하는 것 (글로)", condition_liquid: "값, 예: {{ name == value }}", intent: "의도", phrases: "표현 (한 줄에 하나)", says_on_the_way: "가면서 하는 말", clear: "잊는 값 (쉼표로)", from_node: "출발 노드", to_node: "도착 노드", not_understood: "알아듣지 못할 때", max_attempts: "시도 횟수", then_to: "그다음 노드", timezone: "시간대", meaning: "뜻으로도 알아듣기",
    e_always: "언제나 (그 밖에)", e_examples: "발신자의 말", e_ai: "발신자가 원하는 것", e_logic: "값 비교", e_failed: "도구 실패", e_corrected: "값이 고쳐짐",
    i_yes: "예", i_no: "아니요", i_human: "상담원", i_goodbye: "작별", i_repeat: "다시 말하기", i_help: "도움", i_greeting: "인사", "i_start-over": "처음부터", i_done: "끝", i_cancel: "취소", i_reschedule: "일정 변경",
    v_by_schema: "스키마에 따라", v_date: "날짜", v_time: "시각", v_number: "숫자", v_digits: "자릿수", v_phone: "전화번호", v_name: "이름", "v_yes-no": "예/아니요", v_choice: "선택", v_email: "이메일", v_text: "글",
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
