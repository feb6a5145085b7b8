/** What was typed and is not saved: nobody leaves it without being asked. */

import { say } from "./words.js";

let changed = () => false;

/** `unsaved()`: whether there is something to lose on this page. Returns what to call when it is left. */
export function keepUnsaved(unsaved) {
  const stay = (event) => unsaved() && event.preventDefault();
  changed = unsaved;
  addEventListener("beforeunload", stay);
  return () => {
    if (changed === unsaved) changed = () => false;
    removeEventListener("beforeunload", stay);
  };
}

/** Whether the page may be left: nothing is lost, or they say so. */
export const mayLeave = () => !changed() || confirm(say("leave_unsaved"));
