/** One call over WebRTC: peer connection and event channel, from `connect` to `close`. Knows nothing of the page. */

import { Problem } from "./problems.js";

const CALLS = new URL("../v1/realtime/calls", import.meta.url);
const ANSWER_WITHIN_MS = 15_000;
/** From the answer on. Where UDP is let through it takes less than one second. */
const CONNECT_WITHIN_MS = 8_000;
/** A network change heals within seconds; longer than this, and nobody speaks to a dead line. */
const LOST_AFTER_MS = 5_000;

export class Call {
  #peer = null;
  #channel = null;
  #microphone;
  #heard;
  #lossTimer = 0;
  #live = false;
  #ended = false;
  #connected = Promise.withResolvers ? Promise.withResolvers() : withResolvers();

  /**
   * `microphone` (a stream) stays its owner's. `heard` is told: `event(event)`, `voice(stream)`, `away(yes)`: nothing arrives, or it does
   * again; `ended(problem | null)`: null where the other side hung up.
   */
  constructor(microphone, heard) {
    this.#microphone = microphone;
    this.#heard = heard;
    this.#connected.promise.catch(() => {}); // whoever connects is told; a call may be closed before
  }

  /** Until events can be sent. Throws Problem, and is closed then. */
  async connect(key) {
    let timer = 0;
    try {
      this.#goOn();
      this.#prepare();
      await this.#peer.setLocalDescription(await this.#peer.createOffer());
      const answer = await exchange(this.#peer.localDescription.sdp, key);
      this.#goOn();
      timer = setTimeout(() => this.#end(new Problem("not_connected")), CONNECT_WITHIN_MS);
      await this.#peer.setRemoteDescription({ type: "answer", sdp: answer });
      await this.#connected.promise;
    } catch (error) {
      this.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Send a client event. Those of a call that is over are dropped. */
  send(event) {
    if (this.#channel?.readyState === "open") this.#channel.send(JSON.stringify(event));
  }

  /** Hang up. Safe to call twice. */
  close() {
    this.#ended = true;
    clearTimeout(this.#lossTimer);
    this.#channel?.close();
    this.#peer?.close();
    this.#connected.reject(new Problem("lost"));
  }

  /** Throws where the call was closed while something else was waited for. */
  #goOn() {
    if (this.#ended) throw new Problem("lost");
  }

  #prepare() {
    const peer = (this.#peer = new RTCPeerConnection());
    peer.ontrack = ({ track, streams }) => this.#heard.voice(streams[0] ?? new MediaStream([track]));
    peer.onconnectionstatechange = () => this.#watch(peer.connectionState);
    for (const track of this.#microphone.getAudioTracks()) peer.addTrack(track, this.#microphone);
    const channel = (this.#channel = peer.createDataChannel("oai-events"));
    channel.onopen = () => {
      this.#live = true;
      // Nothing is asked for otherwise: the agent need not wait for it before it greets.
      this.send({ type: "session.update", session: { type: "realtime" } });
      this.#connected.resolve();
    };
    channel.onmessage = ({ data }) => this.#heard.event(JSON.parse(data));
    // A channel that closes while packets still flow was closed by the other side; a lost line closes nothing for a while.
    channel.onclose = () => this.#end(peer.connectionState === "failed" ? new Problem("lost") : null);
  }

  #watch(state) {
    clearTimeout(this.#lossTimer);
    if (this.#live) this.#heard.away(state === "disconnected");
    if (state === "failed") this.#end(new Problem(this.#live ? "lost" : "not_connected"));
    if (state === "closed") this.#end(null);
    if (state === "disconnected") {
      this.#lossTimer = setTimeout(() => this.#end(new Problem("lost")), LOST_AFTER_MS);
    }
  }

  #end(problem) {
    if (this.#ended) return;
    this.#connected.reject(problem ?? new Problem("lost"));
    this.close();
    if (this.#live) this.#heard.ended(problem);
  }
}

/** Trade our offer for the server's answer. Throws Problem. */
async function exchange(offer, key) {
  let answer;
  try {
    answer = await fetch(CALLS, {
      method: "POST",
      headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/sdp" },
      body: offer,
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
  } catch {
    throw new Problem("unreachable");
  }
  if (answer.ok) return answer.text();
  const { error } = await answer.json().catch(() => ({}));
  if (error?.code === "webrtc_unavailable") throw new Problem("not_connected");
  throw new Problem(error?.code?.startsWith("server_") ? error.code : "refused", error?.message);
}

/** Promise.withResolvers, for browsers of before 2024. */
function withResolvers() {
  let resolve, reject;
  const promise = new Promise((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
}
