/** What the API calls things, said in the page's language. In JSON its words stay as they are, and here they are shown small beside ours
 * where somebody needs them. A word that is not here is shown as it came. */

/** By kind and the API's word: English, Korean. */
const TERMS = {
  /** Why a call ended: our own reasons, and the API's. */
  reason: {
    "customer-ended-call": ["The customer hung up", "고객이 끊음"],
    "assistant-ended-call": ["The agent hung up", "에이전트가 끊음"],
    "assistant-said-end-call-phrase": ["The agent said the words that end a call", "에이전트가 통화를 끝내는 말을 함"],
    "assistant-forwarded-call": ["Transferred", "다른 곳으로 전환됨"],
    "silence-timed-out": ["Nobody spoke for too long", "오랫동안 아무 말이 없음"],
    "exceeded-max-duration": ["It reached its longest duration", "최대 통화 시간에 이름"],
    "exceeded-cost-limit": ["It reached what calls may cost", "비용 한도에 이름"],
    "assistant-did-not-receive-customer-audio": ["No sound came from the customer", "고객의 소리가 오지 않음"],
    "call.in-progress.error-assistant-did-not-receive-customer-audio": ["No sound came from the customer", "고객의 소리가 오지 않음"],
    voicemail: ["An answering machine", "자동 응답기가 받음"],
    "transport-lost": ["The connection was lost", "연결이 끊어짐"],
    "transport-stalled": ["The connection stood still", "연결이 멈춤"],
    "phone-call-provider-closed-websocket": ["The telephone carrier closed the connection", "전화 회선 쪽에서 연결을 닫음"],
    "provider-failed": ["An engine or a vendor failed", "엔진이나 공급사 장애"],
    "call.in-progress.error-providerfault-custom-llm-llm-failed": ["An engine or a vendor failed", "엔진이나 공급사 장애"],
    "pipeline-error-custom-transcriber-failed": ["An engine of the call could not be opened", "통화에 쓸 엔진을 열지 못함"],
    "worker-shutdown": ["The server was shut down", "서버가 종료됨"],
    "worker-died": ["The server's process died", "서버 프로세스가 죽음"],
    "call.in-progress.error-vapifault-worker-died": ["The server's process died", "서버 프로세스가 죽음"],
    "call.in-progress.error-vapifault-transport-never-connected": ["Nobody ever connected", "아무도 연결하지 않음"],
    refused: ["Refused", "거절됨"],
    "manually-canceled": ["Ended by an operator or a program", "운영자나 프로그램이 끝냄"],
    "customer-busy": ["The line was busy", "통화 중이었음"],
    "customer-did-not-answer": ["Nobody answered", "받지 않음"],
    "scheduled-call-deleted": ["Called off before its time", "예약이 취소됨"],
    "call.start.error-get-transport": ["The call could not be made", "전화를 걸지 못함"],
    "call.start.error-get-assistant": ["Its assistant could not be used", "어시스턴트를 쓸 수 없음"],
    "call.start.error-subscription-concurrency-limit-reached": ["All lines were taken", "모든 회선이 사용 중이었음"],
    "assistant-not-valid": ["Its assistant is not valid", "어시스턴트가 올바르지 않음"],
    "assistant-request-failed": ["The application did not say which assistant", "애플리케이션이 어시스턴트를 알려 주지 않음"],
    "assistant-request-returned-error": ["The application answered with an error", "애플리케이션이 오류로 답함"],
    "assistant-request-returned-invalid-assistant": ["The application named an assistant that is not valid", "애플리케이션이 올바르지 않은 어시스턴트를 알려 줌"],
    "assistant-request-returned-unspeakable-error": ["The application answered with an error that cannot be said", "애플리케이션이 말로 할 수 없는 오류로 답함"],
    "assistant-request-returned-no-assistant": ["The application named nobody", "애플리케이션이 아무도 알려 주지 않음"],
    "assistant-request-returned-forwarding-phone-number": ["The application had it transferred", "애플리케이션이 다른 번호로 돌림"],
    "call.ringing.hook-executed-say": ["The number said its words and hung up", "번호가 정해진 말을 하고 끊음"],
    "call.ringing.hook-executed-transfer": ["The number transferred it", "번호가 다른 곳으로 돌림"],
    "call.ending.hook-executed-say": ["The application failed: the number said its words and hung up", "애플리케이션이 답하지 못해 번호가 정해진 말을 하고 끊음"],
    "call.ending.hook-executed-transfer": ["The application failed: the number transferred it", "애플리케이션이 답하지 못해 번호가 다른 곳으로 돌림"],
  },
  /** What an application is told. */
  event: {
    "assistant.started": ["An agent took over", "에이전트 시작"],
    "assistant.speechStarted": ["What the agent says, for captions", "에이전트 자막"],
    "transfer-destination-request": ["Where to transfer", "어디로 연결할지 물음"],
    "assistant-request": ["Which assistant?", "어시스턴트 요청"],
    "conversation-update": ["What was said so far", "대화 갱신"],
    "end-of-call-report": ["Report after the call", "통화 종료 보고서"],
    alert: ["Alert", "경보"],
    hang: ["The answer is late", "응답 지연"],
    "handoff-destination-request": ["Hand over to whom?", "넘겨줄 대상 요청"],
    "model-output": ["What the model writes", "모델 출력"],
    "speech-update": ["Who speaks", "말하기 상태"],
    "status-update": ["State of the call", "통화 상태"],
    "tool-calls": ["Tools to run", "도구 호출"],
    transcript: ["What was heard", "받아 적은 말"],
    'transcript[transcriptType="final"]': ["What was heard", "받아 적은 말"],
    "call.deleted": ["Call deleted", "통화 삭제 알림"],
    "call.delete.failed": ["Call not deleted", "통화 삭제 실패 알림"],
    "chat.created": ["Chat begun", "채팅 생성 알림"],
    "chat.deleted": ["Chat deleted", "채팅 삭제 알림"],
    "session.created": ["Session begun", "세션 생성 알림"],
    "session.updated": ["Session changed", "세션 변경 알림"],
    "session.deleted": ["Session deleted", "세션 삭제 알림"],
    "transfer-update": ["Handed over", "전환 알림"],
    "user-interrupted": ["The customer interrupted", "고객이 끼어듦"],
    "voice-input": ["What is spoken", "읽을 말"],
  },
  /** Why a message did not reach an application. */
  attempt: {
    refused: ["an address that is not called", "연결하지 않는 주소"],
    connection: ["no connection", "연결되지 않음"],
    timeout: ["no answer in time", "제때 응답 없음"],
    busy: ["too many requests wait", "대기 중인 요청이 너무 많음"],
    too_large: ["the answer was too long", "응답이 너무 김"],
    redirect: ["led elsewhere too often, or where it may not", "허용되지 않는 리디렉션"],
    authentication: ["no token could be had", "인증 토큰을 받지 못함"],
    protocol: ["no HTTP came back", "HTTP 응답이 아님"],
    configuration: ["its address or secret cannot be used", "주소나 비밀 값을 쓸 수 없음"],
    store_unavailable: ["the database did not answer", "데이터베이스가 응답하지 않음"],
  },
  /** Codes of what failed. */
  code: {
    authentication: ["wrong key or signature", "키나 서명이 틀림"],
    capacity: ["no room", "빈자리 없음"],
    concurrency: ["too many calls at once", "동시 통화가 너무 많음"],
    configuration: ["wrong setting", "설정이 틀림"],
    process_gone: ["its process ended", "프로세스가 끝남"],
    protocol: ["broke the protocol", "프로토콜 위반"],
    provider: ["failed", "장애"],
    provider_timeout: ["no answer in time", "제때 응답 없음"],
    provider_unavailable: ["not reachable", "연결할 수 없음"],
    request_failed: ["its server did not answer", "서버가 응답하지 않음"],
    store_unavailable: ["the database did not answer", "데이터베이스가 응답하지 않음"],
    value_refused: ["a value cannot be kept", "저장할 수 없는 값"],
  },
  /** What is asked about a call. */
  analysis: {
    analysis: ["Analysis", "분석"],
    summary: ["Summary", "요약"],
    structuredData: ["Structured data", "구조화 데이터"],
    successEvaluation: ["Success", "성공 여부"],
    structuredOutput: ["Structured output", "구조화 출력"],
  },
};

/** The words for the API's `word`; the word itself where there are none. */
export function wordsFor(kind, word, language) {
  const words = Object.hasOwn(TERMS[kind], word) ? TERMS[kind][word] : null;
  return words === null ? word : words[language === "ko" ? 1 : 0];
}

/** All words of the API of one kind. */
export const wordsOf = (kind) => Object.keys(TERMS[kind]);
