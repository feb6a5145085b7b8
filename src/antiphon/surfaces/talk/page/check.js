/** What a call needs, looked at one by one: [[what, whether it is there (null: not known), what to do where it is not]]. */

import { assistants } from "./door.js";

const GATHER_WITHIN_MS = 4000;

export async function check() {
  const found = [];
  found.push(["A page that may use a microphone", window.isSecureContext, "Open it over https, or on http://localhost."]);
  found.push(["A microphone", await microphones(), "Connect one, or allow it beside the address."]);
  found.push(["WebRTC", Boolean(window.RTCPeerConnection), "Use a current Chrome, Edge, Firefox or Safari."]);
  found.push(["The server answers", await answers(), "Check your connection, and that the server is running."]);
  if (window.RTCPeerConnection) {
    found.push(["This browser sends over UDP", await udp(), "A policy or an extension keeps WebRTC from the network."]);
  }
  found.push(["UDP reaches the server", null, "Only a call can tell. Where it fails, let UDP through to the server, or set a TURN server there."]);
  return found;
}

async function microphones() {
  if (!navigator.mediaDevices?.enumerateDevices) return false;
  const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
  if (!devices.some(({ kind }) => kind === "audioinput")) return false;
  const asked = await navigator.permissions?.query({ name: "microphone" }).catch(() => null);
  return asked?.state !== "denied";
}

const answers = () => assistants().then(() => true, (error) => error.code !== "unreachable");

/** Whether any address to send from is found. */
async function udp() {
  const peer = new RTCPeerConnection();
  try {
    peer.createDataChannel("check");
    const found = new Promise((done) => {
      peer.onicecandidate = ({ candidate }) => {
        if (candidate === null) done(false);
        else if (candidate.protocol === "udp") done(true);
      };
      setTimeout(() => done(false), GATHER_WITHIN_MS);
    });
    await peer.setLocalDescription(await peer.createOffer());
    return await found;
  } catch {
    return false;
  } finally {
    peer.close();
  }
}
