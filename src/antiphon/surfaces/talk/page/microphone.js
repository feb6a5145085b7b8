/** What the other side hears: the visitor's microphone, or silence for those who only type. */

import { Problem, ofMicrophone } from "./problems.js";

/** The microphone as the browser hears it best for speech. Throws Problem. */
export async function openMicrophone() {
  if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) throw new Problem("insecure");
  const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw ofMicrophone(error);
  }
}

/** A track of silence, for those who only type: the call is the same on the wire. */
export function openSilence(context) {
  return context.createMediaStreamDestination().stream;
}

export function close(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
