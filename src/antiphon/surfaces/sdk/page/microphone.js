/** The microphone, and why there may be none. */

const WANTED = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/** `type` is Daily's word for it: permissions, not-found, mic-in-use, undefined-mediadevices, constraints, unknown. */
export class MicrophoneError extends Error {
  constructor(type, message) {
    super(message);
    this.name = "MicrophoneError";
    this.type = this.code = type;
  }
}

const PROBLEMS = {
  NotAllowedError: ["permissions", "The microphone is not allowed: allow it for this page beside the browser's address."],
  SecurityError: ["permissions", "The page's permissions policy does not allow the microphone."],
  NotFoundError: ["not-found", "No microphone was found: connect one."],
  NotReadableError: ["mic-in-use", "The microphone cannot be read: another program may hold it."],
  OverconstrainedError: ["constraints", "The chosen microphone is not there."],
};

/** An audio track of `source`: `true` (the default microphone), the id of a device, a track (its copy), or `false`: null, nobody is
    heard. Raises MicrophoneError. */
export async function openMicrophone(source = true) {
  if (source === false) return null;
  if (source instanceof MediaStreamTrack) {
    if (source.kind !== "audio" || source.readyState === "ended") {
      throw new MicrophoneError("not-found", "The given track is no audio, or has ended.");
    }
    return source.clone();
  }
  if (!navigator.mediaDevices?.getUserMedia) {
    const secure = "Browsers give a microphone to https pages and to http://localhost only.";
    throw new MicrophoneError("undefined-mediadevices", secure);
  }
  const device = typeof source === "string" ? { deviceId: { exact: source } } : {};
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { ...WANTED, ...device } });
    return stream.getAudioTracks()[0];
  } catch (error) {
    const [type, message] = PROBLEMS[error.name] ?? ["unknown", `The microphone cannot be used (${error.name}).`];
    throw new MicrophoneError(type, message);
  }
}
