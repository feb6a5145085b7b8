/** Stands in for `@daily-co/daily-js`: with it, the unmodified `@vapi-ai/web` and its widgets carry their audio through Antiphon.
    What they use of Daily's call object is here, under Daily's names; what is not possible is told by the event Daily has for it. */
import { Call } from "./call.js";
import { Emitter } from "./emitter.js";
import { MicrophoneError, openMicrophone } from "./microphone.js";

/** The Vapi SDK plays the track of the participant with this name. */
const SPEAKER = "Vapi Speaker";
/** So long the call waits for the page to play the agent's track ("playable"). */
const PLAYABLE_MS = 1500;
const NOT_HERE = "Antiphon carries audio only: there is no video and no screen sharing.";

class CallObject extends Emitter {
  #audioSource;
  #call = null;
  #state = "new";
  #destroyed = false;
  #joinedNow = false;
  #early = [];
  #playable = () => {};
  #observers = { local: 0, remote: 0 };
  #local = { session_id: crypto.randomUUID?.() ?? String(Math.random()), user_name: "", local: true };
  #agent = { session_id: crypto.randomUUID?.() ?? String(Math.random()), user_name: SPEAKER, local: false };
  #agentIsHere = false;
  #muted = false;

  constructor({ audioSource = true } = {}) {
    super();
    this.#audioSource = audioSource;
  }

  // ------------------------------------------------------------------------------------------------ the call

  /** `url`: the `webCallUrl` of `POST /call/web`. Rejects where there can be no call; `camera-error` tells of the microphone. */
  async join({ url } = {}) {
    if (this.#destroyed || this.#state === "joining-meeting" || this.#state === "joined-meeting") {
      throw new Error(this.#destroyed ? "This call object was destroyed." : "This call object has a call already.");
    }
    const call = (this.#call = new Call(url));
    this.#enter("joining-meeting");
    this.#early = [];
    this.#joinedNow = false;
    try {
      await this.#begin(call);
    } catch (error) {
      this.#agentLeaves();
      this.#state = "error";
      call.leave();
      this.#stopObservers();
      throw error;
    }
    this.#enter("joined-meeting", { participants: this.participants() });
    // Who awaits this adds listeners afterwards: what was told in the meantime waits for them.
    setTimeout(() => {
      this.#joinedNow = true;
      for (const data of ["listening", ...this.#early.splice(0)]) this.#appMessage(data);
    });
    return this.participants();
  }

  async leave() {
    this.#call?.leave();
  }

  async destroy() {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#call?.leave();
    this.#stopObservers();
    this.emit("call-instance-destroyed", { action: "call-instance-destroyed" });
  }

  isDestroyed() {
    return this.#destroyed;
  }

  meetingState() {
    return this.#state;
  }

  participants() {
    return { local: this.#described(this.#local), ...(this.#agentIsHere && { [this.#agent.session_id]: this.#described(this.#agent) }) };
  }

  /** There is no frame: nothing is embedded. */
  iframe() {
    return null;
  }

  /** Tracks need no subscription here. */
  updateParticipant() {
    return this;
  }

  /** `data`: a control message as text or object, or "playable". */
  sendAppMessage(data) {
    if (data === "playable") this.#playable();
    else if (!this.#call?.send(data)) this.#nonfatal("app-message-error", "The message was not sent: there is no call.");
    return this;
  }

  async #begin(call) {
    const microphone = await this.#microphone(this.#audioSource);
    if (this.#destroyed) {
      microphone?.stop();
      throw new Error("The call was ended before it began.");
    }
    call.sound.muted = this.#muted;
    const audible = await call.prepare(microphone);
    if (!audible) this.#nonfatal("audio-blocked", "The browser lets no sound play before the page is touched.");
    call.on("message", (message) => this.#appMessage(JSON.stringify(message)));
    call.on("quality", (threshold) =>
      this.#tell("network-quality-change", { threshold, quality: threshold === "good" ? 100 : 25 }));
    call.on("ended", (error) => this.#ended(error));
    const played = new Promise((resolve) => {
      this.#playable = resolve;
      setTimeout(resolve, PLAYABLE_MS);
    });
    this.#agentIsHere = true;
    this.#tell("participant-joined", { participant: this.#described(this.#agent) });
    this.#tell("track-started", { participant: this.#described(this.#agent), track: call.sound.track, type: "audio" });
    await played;
    await call.connect();
  }

  async #microphone(source) {
    try {
      return await openMicrophone(source);
    } catch (error) {
      if (error instanceof MicrophoneError) {
        const { type, message } = error;
        const blamed = type === "permissions" ? { blockedBy: "user", blockedMedia: ["audio"] } : { missingMedia: ["audio"] };
        const errorMsg = { errorMsg: message, audioOk: false, videoOk: true };
        this.#tell("camera-error", { message, errorMsg, error: { type, msg: message, ...blamed } });
      }
      throw error;
    }
  }

  #ended(error) {
    const joined = this.#state === "joined-meeting";
    this.#agentLeaves();
    this.#stopObservers();
    if (error) {
      const errorMsg = error.message;
      this.#tell("error", { message: errorMsg, errorMsg, error: { type: "connection-error", msg: errorMsg } });
    }
    if (joined) this.#enter("left-meeting");
  }

  #agentLeaves() {
    if (!this.#agentIsHere) return;
    this.#agentIsHere = false;
    this.#tell("participant-left", { participant: this.#described(this.#agent) });
  }

  // ------------------------------------------------------------------------------------------------ devices

  setLocalAudio(on) {
    this.#muted = !on;
    if (this.#call) this.#call.sound.muted = !on;
    this.#tell("participant-updated", { participant: this.#described(this.#local) });
    return this;
  }

  localAudio() {
    return !this.#muted;
  }

  /** `audioSource`: a track; `audioDeviceId`: of a device. Rejects with a MicrophoneError. */
  async setInputDevicesAsync({ audioSource, audioDeviceId } = {}) {
    const wanted = audioSource ?? audioDeviceId;
    if (wanted === undefined || wanted === null) return {};
    this.#audioSource = wanted;
    const live = this.#call?.live;
    if (live) this.#call.sound.microphone = await this.#microphone(wanted);
    return { mic: { deviceId: live ? this.#call.sound.microphone?.getSettings().deviceId : audioDeviceId } };
  }

  async setOutputDeviceAsync({ outputDeviceId } = {}) {
    const players = document.querySelectorAll(`audio[data-participant-id="${this.#agent.session_id}"]`);
    await Promise.all([...players].map((player) => player.setSinkId?.(outputDeviceId)));
    return { speaker: { deviceId: outputDeviceId } };
  }

  /** The browser's own noise suppression is what there is for a processor. */
  async updateInputSettings(settings = {}) {
    const type = settings.audio?.processor?.type;
    const track = this.#call?.sound.microphone;
    if (type && track) {
      const { noiseSuppression, ...others } = track.getConstraints();
      await track.applyConstraints({ ...others, noiseSuppression: type !== "none" });
    }
    return { inputSettings: settings };
  }

  // ------------------------------------------------------------------------------------------------ levels

  startLocalAudioLevelObserver(ms = 200) {
    return this.#observe("local", ms, () => this.#tell("local-audio-level", { audioLevel: this.getLocalAudioLevel() }));
  }

  startRemoteParticipantsAudioLevelObserver(ms = 200) {
    return this.#observe("remote", ms, () =>
      this.#tell("remote-participants-audio-level", { participantsAudioLevel: this.getRemoteParticipantsAudioLevel() }));
  }

  stopLocalAudioLevelObserver() {
    this.#observe("local", 0);
  }

  stopRemoteParticipantsAudioLevelObserver() {
    this.#observe("remote", 0);
  }

  isLocalAudioLevelObserverRunning() {
    return this.#observers.local !== 0;
  }

  isRemoteParticipantsAudioLevelObserverRunning() {
    return this.#observers.remote !== 0;
  }

  getLocalAudioLevel() {
    return this.#muted ? 0 : (this.#call?.sound.levels.local ?? 0);
  }

  getRemoteParticipantsAudioLevel() {
    return this.#agentIsHere ? { [this.#agent.session_id]: this.#call.sound.levels.remote } : {};
  }

  async #observe(side, ms, tell) {
    clearInterval(this.#observers[side]);
    this.#observers[side] = tell ? setInterval(tell, Math.max(50, ms)) : 0;
  }

  #stopObservers() {
    this.stopLocalAudioLevelObserver();
    this.stopRemoteParticipantsAudioLevelObserver();
  }

  // ------------------------------------------------------------------------------------------------ not here

  startRecording() {
    this.#tell("recording-error", { errorMsg: "The server records (artifactPlan.recordingEnabled); the page cannot." });
  }

  stopRecording() {
    return this;
  }

  startScreenShare() {
    this.#nonfatal("screen-share-error", NOT_HERE);
  }

  stopScreenShare() {
    return this;
  }

  // ------------------------------------------------------------------------------------------------ how it is told

  #enter(state, more = {}) {
    this.#state = state;
    this.#tell(state, more);
  }

  #appMessage(data) {
    if (this.#joinedNow) this.#tell("app-message", { data, fromId: this.#agent.session_id });
    else this.#early.push(data);
  }

  #nonfatal(type, errorMsg) {
    this.#tell("nonfatal-error", { type, errorMsg });
  }

  #tell(action, fields = {}) {
    this.emit(action, { action, ...fields });
  }

  #described(who) {
    const track = who.local ? this.#call?.sound.microphone : this.#call?.sound.track;
    const state = who.local && this.#muted ? "off" : track ? "playable" : "off";
    const tracks = { audio: { state, subscribed: true, ...(track && { track, persistentTrack: track }) }, video: { state: "off" } };
    return { ...who, user_id: who.session_id, audio: state === "playable", video: false, tracks };
  }
}

export function createCallObject(options) {
  return new CallObject(options);
}

export function supportedBrowser() {
  const supported = typeof AudioWorkletNode === "function" && Boolean(navigator.mediaDevices?.getUserMedia);
  return { supported, name: "", version: "", mobile: false, supportsScreenShare: false, supportsVideoProcessing: false };
}

export default { createCallObject, supportedBrowser };
