/**
 * What of the agent's answers was heard, where this page plays them: from events with sound to the events that the server sends where it
 * plays itself (`output_audio_buffer.started`, `.stopped`, `.cleared`), and to `conversation.item.truncate` when somebody cuts in.
 */

/** An answer has been heard when so little of it is left. */
const NEARLY_MS = 25;
const SAMPLES_PER_MS = 24;

export class Playout {
  #sound;
  #tell;
  #send;
  /** Items whose sound has come and is not over: {response, item, index, fromMs, untilMs}, on the clock of what was played. */
  #items = [];
  #pushedMs = 0;
  /** The response that sounds, or empty. */
  #sounding = "";
  #made = new Set();
  /** Of what is cut, nothing more is played. */
  #cut = new Set();

  /** `sound`: what plays (`Sound`); `tell(event)`: the page; `send(event)`: the server. */
  constructor(sound, tell, send) {
    this.#sound = sound;
    this.#tell = tell;
    this.#send = send;
  }

  /** A piece of an answer. */
  play({ response_id: response, item_id: id, content_index: index, delta }) {
    if (this.#cut.has(response)) return;
    const pcm = bytesOf(delta);
    const last = this.#items.at(-1);
    const lastsMs = pcm.byteLength / 2 / SAMPLES_PER_MS;
    const fromMs = Math.max(this.#pushedMs, this.#sound.playedMs);
    this.#pushedMs = fromMs + lastsMs;
    if (last?.id === id) last.untilMs = this.#pushedMs;
    else this.#items.push({ response, id, index, fromMs, untilMs: this.#pushedMs });
    this.#sound.play(pcm);
  }

  /** A response is complete: no more of its sound comes. */
  made({ id }) {
    if (this.#cut.delete(id)) return;
    this.#made.add(id);
    this.look();
  }

  /** See how far it is. */
  look() {
    const playedMs = this.#sound.playedMs;
    for (;;) {
      const item = this.#items[0];
      if (!item || playedMs <= item.fromMs) return;
      if (this.#sounding !== item.response) {
        this.#sounding = item.response;
        this.#tell({ type: "output_audio_buffer.started", response_id: item.response });
      }
      const more = this.#items.slice(1).some(({ response }) => response === item.response);
      if (playedMs < item.untilMs - NEARLY_MS || !(more || this.#made.has(item.response))) return;
      this.#items.shift();
      if (more) continue;
      this.#sounding = "";
      this.#made.delete(item.response);
      this.#tell({ type: "output_audio_buffer.stopped", response_id: item.response });
    }
  }

  /** Silence at once; the server is told what was heard. */
  async cut() {
    const items = this.#items.splice(0);
    const silenced = this.#sound.flush();
    this.#pushedMs = this.#sound.playedMs;
    if (!items.length) return;
    for (const { response } of items) if (!this.#made.delete(response)) this.#cut.add(response);
    const playedMs = await silenced;
    for (const { id, index, fromMs, untilMs } of items) {
      const heardMs = Math.floor(Math.min(Math.max(0, playedMs - fromMs), untilMs - fromMs));
      this.#send({ type: "conversation.item.truncate", item_id: id, content_index: index, audio_end_ms: heardMs });
    }
    if (this.#sounding) this.#tell({ type: "output_audio_buffer.cleared", response_id: this.#sounding });
    this.#sounding = "";
  }
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes.buffer;
}
