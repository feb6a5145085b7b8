/** What a call needs, looked at one by one. */

import { connection, probe } from "./door.js";
import { close, openMicrophone } from "./microphone.js";

const GATHER_WITHIN_MS = 4000;
const REACH_WITHIN_MS = 8000;

/**
 * Yields what is known so far: [{what, good, why, values}]: `what` and `why` are keys of words, `good` is null where it is not known, `why`
 * says what to do where it is not good, or is empty.
 */
export async function* check() {
  const found = [];
  const say = (what, good, why, values = {}) => {
    found.push({ what, good, why: good ? "" : why, values });
    return [...found];
  };
  yield say("c_secure", window.isSecureContext, "c_secure_no");
  const server = await connection().catch((error) => error);
  const locked = ["locked", "unopened", "wrong_key"].includes(server.code);
  yield say("c_answers", !server.code, locked ? "c_answers_locked" : "c_answers_no");
  if (!server.code && isMixed(location.href, server.public_url)) yield say("c_mixed", false, "c_mixed_no", { url: server.public_url });
  const microphone = await openMicrophone().catch((error) => error);
  yield say("c_microphone", !microphone.code, `c_${microphone.code}`);
  if (!microphone.code) close(microphone);
  yield say("c_webrtc", Boolean(window.RTCPeerConnection), "c_webrtc_no");
  if (!window.RTCPeerConnection) return;
  const ways = await reach(server.code ? null : probe);
  yield say("c_udp", ways.udp, "c_udp_no");
  if (server.code) return;
  yield say("c_reaches", ways.reached, ways.reached === null ? "c_reaches_unknown" : "c_reaches_no");
  // Who is reached needs no relay; one that is set and does not work fails others.
  if (server.relay !== "none" || !ways.reached) yield say("c_relay", server.relay === "good", `c_relay_${server.relay}`);
}

/** Whether a page that is encrypted would have to ask a server that is not. */
export function isMixed(page, server) {
  return page.startsWith("https:") && server.startsWith("http:");
}

/** {udp: whether there is any address to send from, reached: whether a connection comes about; null where it cannot be tried}. */
async function reach(ask) {
  const peer = new RTCPeerConnection();
  const ways = { udp: false, reached: null };
  try {
    peer.addTransceiver("audio", { direction: "recvonly" });
    peer.createDataChannel("check");
    const gathered = new Promise((done) => {
      peer.onicecandidate = ({ candidate }) => {
        if (candidate?.protocol === "udp") ways.udp = true;
        if (candidate === null || ways.udp) done();
      };
      setTimeout(done, GATHER_WITHIN_MS);
    });
    await peer.setLocalDescription(await peer.createOffer());
    await gathered;
    if (!ask) return ways;
    const answer = await ask(peer.localDescription.sdp);
    const connected = new Promise((done) => {
      peer.onconnectionstatechange = () => {
        if (peer.connectionState === "connected") done(true);
        if (peer.connectionState === "failed") done(false);
      };
      setTimeout(() => done(false), REACH_WITHIN_MS);
    });
    await peer.setRemoteDescription({ type: "answer", sdp: answer });
    ways.reached = await connected;
  } catch {
    // As far as it is known.
  } finally {
    peer.close();
  }
  return ways;
}
